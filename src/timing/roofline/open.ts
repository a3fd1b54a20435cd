import { existsSync } from 'node:fs';
import { AicError } from '../aic/aic-error.js';
import { kvValuesPerToken, type ModelSpec, readModel } from '../aic/model.js';
import { readModelFiles } from '../aic/model-files.js';
import { formatCost } from '../aic/quant.js';
import { findGpu, GPUS } from './gpus.js';
import { type RooflineOptions, weightBytesPerGpu } from './roofline.js';
import { KNOWN_MODELS, knownShape } from './shapes.js';

/** What a user names: a GPU, a model, how it is split and its number formats. */
export interface RooflineQuestion {
  gpu: string;
  model: string;
  tensorParallel: number;
  dtype: string;
  kvDtype: string;
}

/** Part of the memory that an engine takes, and what of it activations and the runtime need, in bytes. */
const MEMORY_SHARE = 0.9;
const RUNTIME_BYTES = 2.5e9;

/**
 * Finds the GPU and the model.
 * @param systemsFolder packaged model descriptions, where there are some
 * @throws {AicError} for an unknown GPU or model, naming the known ones
 */
export function rooflineOptions(question: RooflineQuestion, systemsFolder: string): RooflineOptions {
  const gpu = findGpu(question.gpu);
  if (!gpu)
    throw new AicError(
      `timing.gpu: no ${question.gpu}; known are ${GPUS.map(({ name }) => name).join(', ')}`,
    );
  const { tensorParallel, dtype, kvDtype } = question;
  const model = findModel(question.model, systemsFolder);
  if (model.heads % tensorParallel !== 0)
    throw new AicError(
      `timing.tp: must divide the ${model.heads} heads of ${question.model}, found ${tensorParallel}`,
    );
  const moe = formatCost('moe', dtype) ? dtype : 'bfloat16';
  return { gpu, model, tensorParallel, quant: { gemm: dtype, moe, kvcache: kvDtype } };
}

function findModel(id: string, systemsFolder: string): ModelSpec {
  const shape = existsSync(id) ? undefined : knownShape(id);
  if (shape) return shape;
  try {
    return readModel(readModelFiles(systemsFolder, id), id);
  } catch (error) {
    if (!(error instanceof AicError) || existsSync(id)) throw error;
    throw new AicError(
      `timing.model: ${id} is neither a folder with a config.json nor a known model; known are ${KNOWN_MODELS.join(', ')}`,
    );
  }
}

/** KV bytes of a token on each GPU. */
export function rooflineKvBytes({ model, quant, tensorParallel }: RooflineOptions): number {
  return kvValuesPerToken(model, tensorParallel) * formatCost('kvcache', quant.kvcache)!.bytes;
}

/** KV blocks that fit beside the weights. @throws {AicError} when the weights alone do not fit */
export function rooflineBlocks(options: RooflineOptions, blockTokens: number): number {
  const { gpu } = options;
  const perToken = rooflineKvBytes(options);
  const weights = weightBytesPerGpu(options);
  const budget = gpu.memoryBytes * MEMORY_SHARE - weights - RUNTIME_BYTES;
  const blocks = Math.floor(budget / perToken / blockTokens);
  if (blocks < 1)
    throw new AicError(
      `timing: the weights (${(weights / 1e9).toFixed(1)} GB on each GPU) leave no room for KV in the ${gpu.memoryBytes / 1e9} GB of ${gpu.name}; raise tp`,
    );
  return blocks;
}
