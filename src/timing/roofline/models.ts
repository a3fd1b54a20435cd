import { existsSync } from 'node:fs';
import { AicError } from '../aic/aic-error.js';
import { type ModelSpec, readModel } from '../aic/model.js';
import { type ModelFiles, readModelFiles } from '../aic/model-files.js';
import { inferQuant, writtenKvFormat } from '../aic/quant.js';
import { KNOWN_MODELS, knownShape } from './shapes.js';

/** Number formats of a model's parts. */
export interface ModelFormats {
  gemm: string;
  moe: string;
  kvcache: string;
}

export interface FoundModel {
  model: ModelSpec;
  formats: ModelFormats;
}

/**
 * The shape and number formats of a model: from its folder, from the packaged descriptions, or known by its name.
 * @throws {AicError} when there is none
 */
export function findModel(id: string, systemsFolder: string, backend: string): FoundModel {
  const shape = existsSync(id) ? undefined : knownShape(id);
  let files: ModelFiles;
  try {
    files = readModelFiles(systemsFolder, id);
  } catch (error) {
    if (!(error instanceof AicError) || existsSync(id)) throw error;
    if (shape) return { model: shape, formats: formatsByName(id, shape) };
    throw new AicError(
      `timing.model: ${id} is neither a folder with a config.json nor a known model; known are ${KNOWN_MODELS.join(', ')}`,
    );
  }
  const { gemm, moe } = inferQuant(files.config, files.hfQuant, backend, {});
  return {
    model: readModel(files, id),
    formats: { gemm, moe, kvcache: writtenKvFormat(files.config, files.hfQuant) ?? 'bfloat16' },
  };
}

/** Formats that the names of checkpoints tell, of models that come in several. */
function formatsByName(id: string, shape: ModelSpec): ModelFormats {
  const all = (mode: string, kvcache = 'bfloat16') => ({ gemm: mode, moe: mode, kvcache });
  if (/nvfp4|-fp4/i.test(id)) return all('nvfp4', 'fp8');
  if (shape.isGptOss) return { gemm: 'bfloat16', moe: 'w4a16_mxfp4', kvcache: 'bfloat16' };
  if (/fp8/i.test(id)) return /^qwen\//i.test(id) ? all('fp8_block') : all('fp8_static', 'fp8');
  if (shape.family === 'DEEPSEEK' || /minimax/i.test(id)) return all('fp8_block');
  return all('bfloat16');
}
