import { attentionSlice } from './attention.js';
import { isLatent } from './model.js';
import { type OpListOptions, opList, type Phase } from './op-lists.js';
import { leavesOf } from './ops.js';
import { readSlices } from './slices.js';
import { TableSources } from './sources.js';
import type { Slices } from './store.js';
import { readSystem, type SystemSpec } from './system.js';
import { TABLES, type TableName } from './tables.js';

const DENSE: TableName[] = ['gemm', 'contextAttention', 'generationAttention', 'customAllReduce', 'nccl'];
const LATENT: TableName[] = ['contextMla', 'generationMla', 'contextModule', 'generationModule', 'mlaBmm'];
const STATIC_SCALES: TableName[] = ['computeScale', 'scaleMatrix'];

/** The tables of one system, backend and version, those that a model needs. */
export interface Database {
  system: SystemSpec;
  tables: ReadonlyMap<TableName, Slices>;
}

/** Reads what a model needs. @throws {AicError} when the system, backend or version is not there */
export function openDatabase(
  systemsFolder: string,
  systemName: string,
  backend: string,
  version: string,
  options: OpListOptions,
): Database {
  const { model, quant } = options;
  const system = readSystem(systemsFolder, systemName);
  const sources = new TableSources(systemsFolder, system, backend, version);
  const names: TableName[] = [
    ...DENSE,
    ...(model.family === 'LLAMA' ? [] : ['moe' as const]),
    ...(isLatent(model) ? LATENT : []),
    ...(quant.gemm === 'fp8_static' ? STATIC_SCALES : []),
  ];
  const tables = new Map<TableName, Slices>();
  for (const name of names) {
    const files = name === 'nccl' ? sources.nccl() : sources.of(TABLES[name].file);
    tables.set(name, readSlices(TABLES[name], files, wantedSlices(name, options)));
  }
  return { system, tables };
}

/** Beginnings of the keys of the slices that a model asks for. */
function wantedSlices(name: TableName, options: OpListOptions): string[] {
  const { gemm, moe, fmha, kvcache } = options.quant;
  switch (name) {
    case 'gemm':
      return ['bfloat16', gemm === 'fp8_static' ? 'fp8' : gemm];
    case 'contextAttention':
      return attentionSlices('context', options);
    case 'generationAttention':
      return attentionSlices('generation', options);
    case 'contextMla':
    case 'contextModule':
      return [`${fmha}|${kvcache}`];
    case 'generationMla':
    case 'generationModule':
      return [kvcache];
    case 'moe':
      return [`normal|${moe}|`, `fast|${moe}|`];
    case 'nccl':
      return ['half|'];
    default:
      return [''];
  }
}

function attentionSlices(phase: Phase, options: OpListOptions): string[] {
  const keys = opList(phase, options)
    .flatMap(leavesOf)
    .flatMap((op) =>
      op.kind === 'contextAttention' || op.kind === 'generationAttention'
        ? [attentionSlice(op, options.quant)]
        : [],
    );
  return [...new Set(keys)];
}
