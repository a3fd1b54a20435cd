import { InputError } from '../config/input-error.js';
import type { ReplayPlan } from '../config/replay-options.js';
import { AgenticSource, readAgenticRows } from './agentic.js';
import { AppliedComputeTable } from './applied-compute.js';
import { readDynamoTrace } from './dynamo.js';
import { type Excerpt, ExcerptTable } from './excerpt.js';
import { MooncakeTable } from './mooncake.js';
import { SessionDriver, type SessionTable } from './sessions.js';
import type { RequestSource } from './source.js';
import { isSessionForm, type SyntheticOptions, SyntheticTable } from './synthetic.js';
import { TextFile } from './text-file.js';

const DEFAULT_HASH_BLOCK_TOKENS = 512;

export interface Workload {
  source: RequestSource;
  /** Whether records name sessions and turns, as the reference does for everything but plain request lists. */
  namesSessions: boolean;
  /** Whether requests come with the output that they will generate; a prefill worker then generates all of it. */
  plansOutput: boolean;
  close(): void;
}

/** Makes a table of sessions a source; the concurrency of an open loop is undefined. */
type Drive = (table: SessionTable, concurrency: number | undefined) => SessionDriver;

/** Opens and checks the workload that a plan asks for. @throws {InputError} for the first problem */
export async function loadWorkload(plan: ReplayPlan, excerpt?: Excerpt): Promise<Workload> {
  const drive: Drive = (table, concurrency) =>
    excerpt
      ? new SessionDriver(new ExcerptTable(table, excerpt), excerpt.inFlight)
      : new SessionDriver(table, concurrency);
  if (plan.isSynthetic) return loadSynthetic(plan, drive);
  const files: TextFile[] = [];
  const close = () => {
    for (const file of files) file.close();
  };
  try {
    for (const path of plan.options.traceFiles ?? []) files.push(await TextFile.open(path));
    return { ...loadTrace(plan, files, drive), plansOutput: true, close };
  } catch (error) {
    close();
    throw error;
  }
}

function loadSynthetic({ options, topology, arrivalSpeedup }: ReplayPlan, drive: Drive): Workload {
  const engine = topology.kind === 'aggregated' ? topology.engine : topology.prefill;
  const { replayConcurrency, requestRate, arrivalIntervalMs } = options;
  const synthetic: SyntheticOptions = {
    inputTokens: options.inputTokens!,
    outputTokens: options.outputTokens!,
    count: options.requestCount!,
    turnsPerSession: options.turnsPerSession ?? 1,
    sharedPrefixRatio: options.sharedPrefixRatio ?? 0,
    prefixGroups: options.numPrefixGroups ?? 0,
    interTurnDelayMs: options.interTurnDelayMs ?? 0,
    arrivals:
      requestRate !== undefined
        ? { kind: 'poisson', requestsPerSecond: requestRate, seed: options.arrivalSeed ?? 42n }
        : arrivalIntervalMs !== undefined
          ? { kind: 'interval', intervalMs: arrivalIntervalMs }
          : { kind: 'closed' },
    arrivalSpeedup,
    blockTokens: engine.blockTokens,
  };
  const source = drive(new SyntheticTable(synthetic), replayConcurrency);
  const isSessions = isSessionForm(synthetic);
  return { source, namesSessions: isSessions, plansOutput: isSessions, close: () => {} };
}

function loadTrace(
  plan: ReplayPlan,
  files: TextFile[],
  drive: Drive,
): Omit<Workload, 'close' | 'plansOutput'> {
  const { options, traceFormat } = plan;
  const [file] = files;
  const concurrency = options.replayConcurrency;
  const isOpenLoop = concurrency === undefined;
  const arrivalSpeedup = isOpenLoop ? plan.arrivalSpeedup : undefined;
  const hashBlockTokens = options.traceBlockSize ?? DEFAULT_HASH_BLOCK_TOKENS;
  switch (traceFormat) {
    case 'mooncake':
    case 'mooncake-delta': {
      const table = new MooncakeTable(file, {
        hashBlockTokens,
        isDelta: traceFormat === 'mooncake-delta',
        arrivalSpeedup,
      });
      return { source: drive(table, concurrency), namesSessions: table.hasTurns || !isOpenLoop };
    }
    case 'agentic_mooncake': {
      const requests = readAgenticRows(file, hashBlockTokens);
      const pace = { arrivalSpeedup: plan.arrivalSpeedup, concurrency };
      const source = new AgenticSource(requests, hashBlockTokens, pace, file.path);
      return { source, namesSessions: true };
    }
    case 'applied_compute_agentic': {
      const table = new AppliedComputeTable(file, {
        hashBlockTokens,
        sharedPrefixRatio: options.traceSharedPrefixRatio ?? 0,
        prefixGroups: options.traceNumPrefixGroups ?? 0,
      });
      return { source: drive(table, concurrency), namesSessions: true };
    }
    case 'dynamo': {
      const trace = readDynamoTrace(files, { hashBlockTokens: options.traceBlockSize, arrivalSpeedup });
      if (trace.kind === 'standard')
        return { source: drive(trace.table, concurrency), namesSessions: !isOpenLoop };
      if (!isOpenLoop && !options.beyondReference)
        throw new InputError(
          `${file.path}: a Dynamo trace of agents cannot be used with --replay-concurrency; --beyond-reference allows it`,
        );
      return {
        source: new AgenticSource(
          trace.requests,
          trace.blockTokens,
          { arrivalSpeedup: plan.arrivalSpeedup, concurrency },
          file.path,
        ),
        namesSessions: true,
      };
    }
  }
}
