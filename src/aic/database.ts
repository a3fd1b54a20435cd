import { isLatent, type ModelSpec } from './model.js';
import type { QuantModes } from './quant.js';
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
export async function openDatabase(
  systemsFolder: string,
  systemName: string,
  backend: string,
  version: string,
  model: ModelSpec,
  quant: QuantModes,
): Promise<Database> {
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
    tables.set(name, await readSlices(TABLES[name], files, wantedSlices(name, quant)));
  }
  return { system, tables };
}

/** Beginnings of the keys of the slices that these number formats ask for. */
function wantedSlices(name: TableName, { gemm, moe, fmha, kvcache }: QuantModes): string[] {
  switch (name) {
    case 'gemm':
      return ['bfloat16', gemm === 'fp8_static' ? 'fp8' : gemm];
    case 'contextAttention':
    case 'contextMla':
    case 'contextModule':
      return [`${fmha}|${kvcache}`];
    case 'generationAttention':
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
