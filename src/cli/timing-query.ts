import Table from 'cli-table3';
import { InputError } from '../config/input-error.js';
import { systemsFolder } from '../setup/engines.js';
import { openEstimator } from '../timing/aic/open.js';
import { DEFAULT_VERSIONS } from '../timing/aic/versions.js';
import { rooflineOptions } from '../timing/roofline/open.js';
import { RooflineTiming } from '../timing/roofline/roofline.js';

export interface QueryFlags {
  gpu?: string;
  model: string;
  backend: string;
  backendVersion?: string;
  system: string;
  tpSize: number;
  moeTpSize: number;
  moeEpSize: number;
  attentionDpSize: number;
  phase: string;
  batch: number;
  tokens: number;
  prefix: number;
  json?: boolean;
  aicSystems?: string;
}

/** Latency of one pass as a table, or as JSON. @throws {InputError} {AicError} for what is not there */
export async function queryTiming(flags: QueryFlags): Promise<string> {
  const { phase, prefix, tokens } = flags;
  if (phase !== 'prefill' && phase !== 'decode')
    throw new InputError(`--phase: expected prefill or decode, found ${phase}`);
  if (phase === 'prefill' && (prefix < 0 || prefix >= tokens))
    throw new InputError(
      `--prefix: must be from 0 to ${tokens - 1}, one less than --tokens, found ${prefix}`,
    );
  const parts = flags.gpu === undefined ? fromTables(flags) : fromRoofline(flags, flags.gpu);
  const totalMs = parts.reduce((sum, { ms }) => sum + ms, 0);
  if (flags.json) return `${JSON.stringify({ total_ms: totalMs, operations: parts }, null, 2)}\n`;
  const table = new Table({
    head: ['Operation', 'ms'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, ms } of parts) table.push([name, ms.toFixed(6)]);
  table.push(['total', totalMs.toFixed(6)]);
  return `${table.toString()}\n`;
}

function fromTables(flags: QueryFlags): { name: string; ms: number }[] {
  const estimator = openEstimator(systemsFolder(flags.aicSystems), {
    backend: flags.backend,
    system: flags.system,
    version: flags.backendVersion ?? DEFAULT_VERSIONS[flags.backend] ?? '',
    modelPath: flags.model,
    tensorParallel: flags.tpSize,
    moeTensorParallel: flags.moeTpSize,
    moeExpertParallel: flags.moeEpSize,
    attentionDataParallel: flags.attentionDpSize,
    dtypes: {},
    draftTokens: 0,
  });
  const phase = flags.phase === 'prefill' ? 'context' : 'generation';
  return estimator.breakdown(phase, flags.batch, flags.tokens, flags.prefix);
}

function fromRoofline(flags: QueryFlags, gpu: string): { name: string; ms: number }[] {
  const question = {
    gpu,
    model: flags.model,
    tensorParallel: flags.tpSize,
    dtype: 'bfloat16',
    kvDtype: 'bfloat16',
  };
  const timing = new RooflineTiming(rooflineOptions(question, systemsFolder(flags.aicSystems)));
  return timing.breakdown(flags.phase === 'prefill', flags.batch, flags.tokens, flags.prefix);
}
