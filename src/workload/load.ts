import { statSync } from 'node:fs';
import { InputError } from '../config/input-error.js';
import type { Scenario, WorkloadSpec } from '../config/scenario/scenario.js';
import { isForeign, type NativeFormat } from '../config/trace-formats.js';
import { AgenticSource } from './agentic.js';
import { readAgenticRows } from './agentic-rows.js';
import { AppliedComputeTable } from './applied-compute.js';
import { readDynamoTrace } from './dynamo.js';
import { type Excerpt, ExcerptTable } from './excerpt.js';
import { MooncakeTable } from './mooncake.js';
import { SessionDriver, type SessionTable } from './sessions.js';
import type { Shelf } from './shelf.js';
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
  /** What is odd about the trace. */
  warnings: readonly string[];
  close(): void;
}

/** A trace in a form that is read as it is. */
export interface NativeTrace {
  files: TextFile[];
  format: NativeFormat;
  /** Tokens of a hash id; undefined where the trace or the default says. */
  hashBlockTokens: number | undefined;
}

/** Brings traces into a form that is read as it is. @throws {InputError} for a bad row */
export type Translate = (files: readonly TextFile[], workload: WorkloadSpec) => Promise<NativeTrace>;

/** Makes a table of sessions a source; the concurrency of an open loop is undefined. */
type Drive = (table: SessionTable, concurrency: number | undefined) => SessionDriver;

/** What the workload is read for, and what it shares with others. */
export interface Reading {
  /** The part of it that is wanted. */
  excerpt?: Excerpt | undefined;
  /** Where traces are kept that other runs may ask for. */
  shelf?: Shelf | undefined;
}

/** Opens and checks the workload that a scenario asks for. @throws {InputError} for the first problem */
export async function loadWorkload(
  scenario: Scenario,
  translate: Translate,
  { excerpt, shelf }: Reading,
): Promise<Workload> {
  const drive: Drive = (table, concurrency) =>
    excerpt
      ? new SessionDriver(
          new ExcerptTable(table, excerpt),
          'inFlight' in excerpt ? excerpt.inFlight : concurrency,
        )
      : new SessionDriver(table, concurrency);
  if (scenario.workload.isSynthetic) return loadSynthetic(scenario, drive);
  const key = shelf && traceKey(scenario);
  const kept = key === undefined ? undefined : shelf!.get<KeptTrace>(key);
  if (kept)
    return {
      ...kept,
      source: drive(kept.table, scenario.workload.replayConcurrency),
      plansOutput: true,
      close: () => {},
    };
  const files: TextFile[] = [];
  const close = () => {
    for (const file of files) file.close();
  };
  try {
    for (const path of scenario.workload.traceFiles ?? [])
      files.push(await TextFile.open(path, isForeign(scenario.workload.traceFormat)));
    const trace = await translate(files, scenario.workload);
    for (const file of trace.files) if (!files.includes(file)) files.push(file);
    const loaded = { warnings: [], ...loadTrace(scenario, trace, drive) };
    const { table, source, namesSessions, warnings } = loaded;
    if (excerpt && !table)
      throw new InputError(`${files[0].path}: a trace of agents that wait for each other is run as a whole`);
    if (key !== undefined && table?.isStill) shelf!.put<KeptTrace>(key, { table, namesSessions, warnings });
    return { source, namesSessions, warnings, plansOutput: true, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A trace that was read once, without what drives it. */
interface KeptTrace extends Pick<Workload, 'namesSessions' | 'warnings'> {
  table: SessionTable;
}

/** What decides how a trace is read, its files included. */
function traceKey({ workload, liberties }: Scenario): string | undefined {
  const { traceFiles = [], replayConcurrency, arrivalSpeedupRatio, traceFormat, traceBlockSize } = workload;
  const files = traceFiles.map((path) => statSync(path, { throwIfNoEntry: false }));
  if (!files.every((stat) => stat?.isFile())) return undefined;
  return JSON.stringify([
    traceFiles,
    files.map((stat) => [stat!.size, stat!.mtimeMs]),
    [traceFormat, traceBlockSize, liberties.takesAnyValue],
    replayConcurrency === undefined ? arrivalSpeedupRatio : 'closed',
  ]);
}

function loadSynthetic({ workload, stages }: Scenario, drive: Drive): Workload {
  const { replayConcurrency, requestRate, arrivalIntervalMs } = workload;
  const synthetic: SyntheticOptions = {
    inputTokens: workload.inputTokens!,
    outputTokens: workload.outputTokens!,
    count: workload.requestCount!,
    turnsPerSession: workload.turnsPerSession,
    sharedPrefixRatio: workload.sharedPrefixRatio,
    prefixGroups: workload.numPrefixGroups,
    interTurnDelayMs: workload.interTurnDelayMs,
    arrivals:
      requestRate !== undefined
        ? { kind: 'poisson', requestsPerSecond: requestRate, seed: workload.arrivalSeed ?? 42n }
        : arrivalIntervalMs !== undefined
          ? { kind: 'interval', intervalMs: arrivalIntervalMs }
          : { kind: 'closed' },
    arrivalSpeedup: workload.arrivalSpeedupRatio,
    blockTokens: stages[0].engine.blockTokens,
  };
  const source = drive(new SyntheticTable(synthetic), replayConcurrency);
  const isSessions = isSessionForm(synthetic);
  return { source, namesSessions: isSessions, plansOutput: isSessions, warnings: [], close: () => {} };
}

function loadTrace(
  { workload, liberties }: Scenario,
  { files, format, hashBlockTokens: given }: NativeTrace,
  drive: Drive,
): Pick<Workload, 'source' | 'namesSessions'> &
  Partial<Pick<Workload, 'warnings'>> & { table?: SessionTable } {
  const { replayConcurrency: concurrency, arrivalSpeedupRatio } = workload;
  const [file] = files;
  const isOpenLoop = concurrency === undefined;
  const arrivalSpeedup = isOpenLoop ? arrivalSpeedupRatio : undefined;
  const hashBlockTokens = given ?? DEFAULT_HASH_BLOCK_TOKENS;
  switch (format) {
    case 'mooncake':
    case 'mooncake-delta': {
      const table = new MooncakeTable(file, {
        hashBlockTokens,
        isDelta: format === 'mooncake-delta',
        needsAllHashes: !liberties.takesAnyValue,
        arrivalSpeedup,
      });
      return {
        table,
        source: drive(table, concurrency),
        namesSessions: table.hasTurns || !isOpenLoop,
        warnings: table.warnings,
      };
    }
    case 'agentic_mooncake': {
      const trace = readAgenticRows(file, given);
      const pace = { arrivalSpeedup: arrivalSpeedupRatio, concurrency };
      const source = new AgenticSource(trace.requests, trace.hashBlockTokens, pace, file.path);
      return { source, namesSessions: true };
    }
    case 'applied_compute_agentic': {
      const table = new AppliedComputeTable(file, {
        hashBlockTokens,
        sharedPrefixRatio: workload.traceSharedPrefixRatio,
        prefixGroups: workload.traceNumPrefixGroups,
      });
      return { table, source: drive(table, concurrency), namesSessions: true };
    }
    case 'dynamo': {
      const isLenient = liberties.takesAnyValue;
      const trace = readDynamoTrace(files, { hashBlockTokens: given, arrivalSpeedup, isLenient });
      if (trace.kind === 'standard')
        return {
          table: trace.table,
          source: drive(trace.table, concurrency),
          namesSessions: !isOpenLoop,
        };
      if (!isOpenLoop && !liberties.limitsAgents)
        throw new InputError(
          `${file.path}: a Dynamo trace of agents cannot be used with --replay-concurrency; --beyond-reference allows it`,
        );
      return {
        source: new AgenticSource(
          trace.requests,
          trace.blockTokens,
          { arrivalSpeedup: arrivalSpeedupRatio, concurrency },
          file.path,
        ),
        namesSessions: true,
      };
    }
  }
}
