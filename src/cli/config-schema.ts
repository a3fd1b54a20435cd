import type { Setting } from '../config/scenario/setting.js';
import { SETTINGS } from '../config/scenario/settings.js';
import {
  engineSchema,
  fieldSchema,
  overheadSchema,
  routerSchema,
  type Schema,
  timingSchema,
} from '../config/schema.js';
import { ENGINES, ROUTERS } from '../setup/kinds.js';
import { extraFlags } from './config-file.js';
import { replayCommand } from './replay.js';

/** JSON Schema of a replay configuration: settings of a scenario, and what is written of a run. */
export function configSchema(): Schema {
  const extras = [...extraFlags(replayCommand())].map(([key, option]) => [
    key,
    { description: option.description, type: option.isBoolean() ? 'boolean' : 'string' },
  ]);
  const settings = SETTINGS.map((setting) => [setting.key, settingSchema(setting)]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'dynosim replay',
    type: 'object',
    properties: Object.fromEntries([...settings, ...extras]),
    additionalProperties: false,
  };
}

function settingSchema(setting: Setting): Schema {
  const { help: description, default: usual } = setting;
  return { description, ...(usual !== undefined && { default: usual }), ...valueSchema(setting) };
}

function valueSchema({ rule }: Setting): Schema {
  switch (rule.type) {
    case 'paths':
      return { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
    case 'kind':
      return { enum: (rule.of === 'engines' ? ENGINES : ROUTERS).map(({ name }) => name) };
    case 'json':
      return {
        engine: () => engineSchema(ENGINES),
        router: routerSchema,
        timing: timingSchema,
        overheads: overheadSchema,
        planner: () => ({ type: ['object', 'string'] }),
        disturbances: () => ({ type: 'object' }),
      }[rule.of]();
    default:
      return fieldSchema(rule);
  }
}
