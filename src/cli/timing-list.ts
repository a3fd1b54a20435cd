import { existsSync } from 'node:fs';
import { systemsFolder } from '../setup/engines.js';
import { listModels } from '../timing/aic/model-files.js';
import { listVersions } from '../timing/aic/sources.js';
import { listSystems, readSystem } from '../timing/aic/system.js';
import { GPUS } from '../timing/roofline/gpus.js';
import { KNOWN_MODELS } from '../timing/roofline/shapes.js';

/** What passes can be timed with, as text or JSON. */
export function listTiming(given: string | undefined, asJson: boolean): string {
  const folder = systemsFolder(given);
  const isThere = existsSync(folder);
  const systems = isThere ? listSystems(folder) : [];
  const tables = systems.map((system) => ({ system, versions: listVersions(readSystem(folder, system)) }));
  const models = isThere ? listModels(folder) : [];
  const named = (isTested: boolean) =>
    GPUS.filter((gpu) => gpu.isTested === isTested).map(({ name }) => name);
  const roofline = {
    gpus: [...named(true), ...named(false)],
    untested_gpus: named(false),
    models: KNOWN_MODELS,
  };
  if (asJson)
    return `${JSON.stringify({ folder: isThere ? folder : null, tables, models, roofline }, null, 2)}\n`;
  const lines = isThere
    ? [
        `AI Configurator tables in ${folder}`,
        ...tables.flatMap(({ system, versions }) => [
          `  ${system}`,
          ...Object.entries(versions).map(([backend, list]) => `    ${backend}: ${list.join(', ')}`),
        ]),
        'Models',
        ...models.map((model) => `  ${model}`),
      ]
    : [`No AI Configurator tables at ${folder}; \`dynosim timing install\` fetches them.`];
  return `${[
    ...lines,
    'Roofline: any model with a config.json, and without one',
    `  models: ${roofline.models.join(', ')}`,
    `  GPUs compared with something measured: ${named(true).join(', ')}`,
    `  GPUs of which only the data sheet is known: ${roofline.untested_gpus.join(', ')}`,
  ].join('\n')}\n`;
}
