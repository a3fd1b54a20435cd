import { engineFields } from './engine-args.js';
import type { EngineType } from './engine-type.js';
import type { FieldRule, FieldRules } from './fields.js';
import { OVERHEAD_FIELDS, TYPICAL } from './overheads.js';
import { ROUTER_FIELDS } from './router-config.js';

/** A JSON Schema, or a part of one. */
export type Schema = { readonly [keyword: string]: unknown };

/** Schema of the objects that engine flags take. */
export function engineSchema(types: readonly EngineType[]): Schema {
  return objectSchema(engineFields(types), []);
}

export function routerSchema(): Schema {
  return objectSchema(ROUTER_FIELDS, []);
}

export function timingSchema(): Schema {
  return fieldSchema(engineFields([]).timing);
}

export function overheadSchema(): Schema {
  return { anyOf: [objectSchema(OVERHEAD_FIELDS, []), { const: TYPICAL }] };
}

function objectSchema(fields: FieldRules, required: readonly string[]): Schema {
  const properties = Object.fromEntries(
    Object.entries(fields).map(([name, rule]) => [name, fieldSchema(rule)]),
  );
  return {
    type: 'object',
    properties,
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  };
}

/** Schema of one field. */
export function fieldSchema(rule: FieldRule): Schema {
  const plain = plainSchema(rule);
  return rule.type !== 'any' && rule.null === 'unset' ? { anyOf: [plain, { type: 'null' }] } : plain;
}

function plainSchema(rule: FieldRule): Schema {
  switch (rule.type) {
    case 'uint':
      return {
        type: 'integer',
        minimum: rule.min ?? 0,
        ...(rule.max !== undefined && { maximum: rule.max }),
      };
    case 'u64':
      return { type: 'integer', minimum: 0 };
    case 'float':
      return {
        type: 'number',
        ...(rule.min !== undefined && { minimum: rule.min }),
        ...(rule.above !== undefined && { exclusiveMinimum: rule.above }),
        ...(rule.max !== undefined && { maximum: rule.max }),
      };
    case 'bool':
      return { type: 'boolean' };
    case 'string':
      return { type: 'string' };
    case 'choice':
      return { enum: rule.choices };
    case 'object':
      return objectSchema(rule.fields, rule.required ?? []);
    case 'any':
      return {};
  }
}
