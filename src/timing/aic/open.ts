import { existsSync } from 'node:fs';
import { AicError } from './aic-error.js';
import { estimateBlocks, type MemoryUse } from './capacity.js';
import { openDatabase } from './database.js';
import { type OpTimes, PassEstimator } from './estimator.js';
import { type ModelSpec, readModel } from './model.js';
import { readModelFiles } from './model-files.js';
import type { OpListOptions } from './op-lists.js';
import { checkParallelism } from './parallelism.js';
import { inferQuant, type QuantModes, type QuantOverrides, withOverrides } from './quant.js';
import { readSystem } from './system.js';
import { TableTimes } from './table-times.js';

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

/** @throws {AicError} when there are no tables */
function checkSystems(systemsFolder: string): void {
  if (!existsSync(systemsFolder))
    throw new AicError(
      `no AI Configurator tables at ${systemsFolder}; run \`dynosim timing install\`, or set --aic-systems or DYNOSIM_AIC_SYSTEMS to a systems folder`,
    );
}

/** A question about a model whose shape and own formats are known. @throws {AicError} for what it cannot have */
export function tableOptions(question: AicQuestion, model: ModelSpec, own: QuantModes): OpListOptions {
  const { backend, draftTokens } = question;
  const quant = withOverrides(own, question.dtypes);
  const parallel = {
    tensor: question.tensorParallel,
    moeTensor: question.moeTensorParallel,
    moeExpert: question.moeExpertParallel,
    attentionData: question.attentionDataParallel,
  };
  checkParallelism(model, quant, parallel);
  return { model, quant, parallel, backend, draftTokens };
}

/** Describes a model. @throws {AicError} when its files, the system or the parallelism do not hold */
export function aicModel(systemsFolder: string, question: AicQuestion): AicModel {
  checkSystems(systemsFolder);
  const files = readModelFiles(systemsFolder, question.modelPath);
  const model = readModel(files, question.modelPath);
  const own = inferQuant(files.config, files.hfQuant, question.backend, question.dtypes);
  const options = tableOptions(question, model, own);
  return {
    options,
    capacity: (maxBatchedTokens, kvFraction, blockTokens) => {
      const system = readSystem(systemsFolder, question.system);
      return estimateBlocks({ ...options, system, maxBatchedTokens, kvFraction, blockTokens });
    },
  };
}

/** Tables of a question, and passes timed by them. */
export interface OpenTables {
  options: OpListOptions;
  tables: OpTimes;
  estimator: PassEstimator;
}

/** Opens the tables that a question needs. @throws {AicError} for what is not there */
export function openTables(systemsFolder: string, question: AicQuestion): OpenTables {
  const { options } = aicModel(systemsFolder, question);
  const { system, backend, version } = question;
  const tables = new TableTimes(openDatabase(systemsFolder, system, backend, version, options), options);
  return { options, tables, estimator: new PassEstimator(tables, options) };
}

/** The passes alone. @throws {AicError} for what is not there */
export function openEstimator(systemsFolder: string, question: AicQuestion): PassEstimator {
  return openTables(systemsFolder, question).estimator;
}
