import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AicError } from './aic-error.js';

export type JsonRecord = Record<string, unknown>;

/** The files that describe a model. */
export interface ModelFiles {
  config: JsonRecord;
  hfQuant: JsonRecord | undefined;
}

/** Folder of the packaged model descriptions that belongs to a `systems` folder. */
function packagedFolder(systemsFolder: string): string | undefined {
  return [join(systemsFolder, 'model_configs'), join(dirname(systemsFolder), 'model_configs')].find(
    existsSync,
  );
}

/** Ids of the models that come with a `systems` folder. */
export function listModels(systemsFolder: string): string[] {
  const folder = packagedFolder(systemsFolder);
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('_config.json') && !file.endsWith('_hf_quant_config.json'))
    .map((file) => file.slice(0, -'_config.json'.length).replace('--', '/'))
    .sort();
}

/** Whether a model has a folder, or comes with a `systems` folder. */
export function isDescribed(systemsFolder: string, model: string): boolean {
  return existsSync(join(model, 'config.json')) || listModels(systemsFolder).includes(model);
}

/**
 * Reads the description of a model: a folder with a `config.json`, or the id of one that comes with the tables.
 * @throws {AicError} when there is none
 */
export function readModelFiles(systemsFolder: string | undefined, model: string): ModelFiles {
  if (existsSync(join(model, 'config.json')) && statSync(model).isDirectory())
    return readPair(join(model, 'config.json'), join(model, 'hf_quant_config.json'));
  const folder = systemsFolder === undefined ? undefined : packagedFolder(systemsFolder);
  const stem = model.replaceAll('/', '--');
  const path = folder && join(folder, `${stem}_config.json`);
  if (path === undefined || !existsSync(path))
    throw new AicError(
      `aic_model_path: ${model} is neither a folder with a config.json nor a packaged model; packaged are ${listModels(systemsFolder ?? '').join(', ') || 'none'}`,
    );
  return readPair(path, join(folder!, `${stem}_hf_quant_config.json`));
}

function readPair(config: string, hfQuant: string): ModelFiles {
  return { config: readJson(config), hfQuant: existsSync(hfQuant) ? readJson(hfQuant) : undefined };
}

/** Reads JSON as Python writes it, with bare Infinity and NaN. */
function readJson(path: string): JsonRecord {
  const text = readFileSync(path, 'utf8').replace(/([:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, '$1null');
  try {
    return JSON.parse(text) as JsonRecord;
  } catch (error) {
    throw new AicError(`${path}: not valid JSON: ${(error as Error).message}`);
  }
}
