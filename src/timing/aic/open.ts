import { existsSync } from 'node:fs';
import { AicError } from './aic-error.js';
import { estimateBlocks, type MemoryUse } from './capacity.js';
import { openDatabase } from './database.js';
import { AicEstimator } from './estimator.js';
import { readModel } from './model.js';
import { readModelFiles } from './model-files.js';
import type { OpListOptions } from './op-lists.js';
import { checkParallelism } from './parallelism.js';
import { inferQuant, type QuantOverrides } from './quant.js';
import { readSystem } from './system.js';

/** One model, how it is spread, and what it runs on. */
export interface AicQuestion {
  backend: string;
  system: string;
  version: string;
  modelPath: string;
  tensorParallel: number;
  moeTensorParallel: number;
  moeExpertParallel: number;
  attentionDataParallel: number;
  dtypes: QuantOverrides;
  draftTokens: number;
}

/** A model described well enough to ask for its op list and its memory. */
interface AicModel {
  options: OpListOptions;
  /** KV blocks of one rank. */
  capacity(
    maxBatchedTokens: number,
    kvFraction: number,
    blockTokens: number,
  ): { blocks: number; memory: MemoryUse };
}

/** Describes a model. @throws {AicError} when its files, the system or the parallelism do not hold */
export function aicModel(systemsFolder: string, question: AicQuestion): AicModel {
  if (!existsSync(systemsFolder))
    throw new AicError(
      `no AI Configurator tables at ${systemsFolder}; run \`dynosim timing install\`, or set --aic-systems or DYNOSIM_AIC_SYSTEMS to a systems folder`,
    );
  const files = readModelFiles(systemsFolder, question.modelPath);
  const model = readModel(files, question.modelPath);
  const quant = inferQuant(files.config, files.hfQuant, question.backend, question.dtypes);
  const parallel = {
    tensor: question.tensorParallel,
    moeTensor: question.moeTensorParallel,
    moeExpert: question.moeExpertParallel,
    attentionData: question.attentionDataParallel,
  };
  checkParallelism(model, quant, parallel);
  const { backend, draftTokens } = question;
  const options = { model, quant, parallel, backend, draftTokens };
  return {
    options,
    capacity: (maxBatchedTokens, kvFraction, blockTokens) => {
      const system = readSystem(systemsFolder, question.system);
      return estimateBlocks({ ...options, system, maxBatchedTokens, kvFraction, blockTokens });
    },
  };
}

/** Opens the tables that a question needs. @throws {AicError} for what is not there */
export function openEstimator(systemsFolder: string, question: AicQuestion): AicEstimator {
  const { options } = aicModel(systemsFolder, question);
  const { system, backend, version } = question;
  return new AicEstimator(openDatabase(systemsFolder, system, backend, version, options), options);
}
