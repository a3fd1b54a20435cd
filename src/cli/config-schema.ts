import type { Option } from 'commander';
import { engineSchema, overheadSchema, routerSchema, type Schema, timingSchema } from '../config/schema.js';
import { ENGINES } from '../setup/kinds.js';
import { configurable } from './config-file.js';
import { float, integer, wholeNumber } from './flags.js';
import { replayCommand } from './replay.js';

/** JSON Schema of a replay configuration: the flags of `replay`, and the objects that some of them take. */
export function configSchema(): Schema {
  const trace = {
    description: 'trace to replay, or several',
    anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
  };
  const options = [...configurable(replayCommand())].map(([key, option]) => [key, optionSchema(option)]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'dynosim replay',
    type: 'object',
    properties: { trace, ...Object.fromEntries(options) },
    additionalProperties: false,
  };
}

function optionSchema(option: Option): Schema {
  const { description, defaultValue } = option;
  return {
    description,
    ...(defaultValue !== undefined && { default: defaultValue }),
    ...valueSchema(option),
  };
}

function valueSchema(option: Option): Schema {
  if (option.isBoolean()) return { type: 'boolean' };
  if (option.argChoices) return { enum: option.argChoices };
  const name = option.attributeName();
  if (name.endsWith('EngineArgs')) return engineSchema(ENGINES);
  if (name === 'routerConfig') return routerSchema();
  if (name === 'timing') return timingSchema();
  if (name === 'overheads') return overheadSchema();
  const { parseArg } = option as { parseArg?: unknown };
  if (parseArg === integer || parseArg === wholeNumber) return { type: 'integer' };
  return { type: parseArg === float ? 'number' : 'string' };
}
