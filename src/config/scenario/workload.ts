import { InputError } from '../input-error.js';
import type { Names } from './names.js';
import type { Scenario, WorkloadSpec } from './scenario.js';

/** Whether settings ask for synthetic load. */
export function isSynthetic(values: Omit<WorkloadSpec, 'isSynthetic'>): boolean {
  const lengths = [values.inputTokens, values.outputTokens, values.requestCount];
  return (
    lengths.some((value) => value !== undefined) ||
    values.turnsPerSession !== 1 ||
    values.sharedPrefixRatio !== 0 ||
    values.numPrefixGroups !== 0 ||
    values.interTurnDelayMs !== 0
  );
}

/** Looks for what a workload lacks, or what does not go together. @throws {InputError} */
export function checkWorkload(scenario: Scenario, names: Names): void {
  const { workload } = scenario;
  checkFiles(workload, names);
  if (workload.isSynthetic) checkSynthetic(workload, names);
  else checkTrace(scenario, names);
  const { replayConcurrency, arrivalSpeedupRatio: speedup } = workload;
  if (replayConcurrency === undefined && !(speedup > 0))
    throw new InputError(
      `${names.of('arrival_speedup_ratio')}: must be a finite positive number, found ${speedup}`,
    );
}

function checkFiles({ traceFiles = [], traceFormat, isSynthetic: synthetic }: WorkloadSpec, names: Names) {
  const format = `${names.short('trace_format')} ${traceFormat}`;
  if (traceFormat === 'dynamo' && traceFiles.length === 0)
    throw new InputError(`${format} needs at least one trace file`);
  if (traceFormat !== 'dynamo' && traceFiles.length > 1)
    throw new InputError(`${format} takes one trace file, found ${traceFiles.length}`);
  if (traceFiles.length > 0 === synthetic)
    throw new InputError(`give either a trace file or all of ${lengths(names)}`);
}

function lengths(names: Names): string {
  const [input, output, count] = ['input_tokens', 'output_tokens', 'request_count'].map(names.short);
  return `${input}, ${output} and ${count}`;
}

function checkTrace({ workload, liberties, stages }: Scenario, names: Names): void {
  const { traceFormat, replayConcurrency, requestRate, arrivalIntervalMs } = workload;
  const [concurrency, rate, interval] = ['replay_concurrency', 'request_rate', 'arrival_interval_ms'].map(
    names.short,
  );
  const format = `${names.short('trace_format')} ${traceFormat}`;
  const hint = `; ${names.short('beyond_reference')} allows it`;
  if (requestRate !== undefined || arrivalIntervalMs !== undefined)
    throw new InputError(`${rate} and ${interval} apply to synthetic load only`);
  if (traceFormat === 'applied_compute_agentic' && replayConcurrency === undefined)
    throw new InputError(`${format} needs ${concurrency}, as its traces hold no start times`);
  if (workload.traceBlockSize === 0)
    throw new InputError(`${names.of('trace_block_size')}: must be greater than 0`);
  const isUnsplit =
    (traceFormat === 'agentic_mooncake' && !liberties.splitsAgents) ||
    (traceFormat === 'mooncake-delta' && !liberties.splitsGrowing);
  if (isUnsplit && stages.length > 1)
    throw new InputError(`${format} is not supported for a disaggregated fleet${hint}`);
  if (traceFormat === 'agentic_mooncake' && replayConcurrency !== undefined && !liberties.limitsAgents)
    throw new InputError(`${format} cannot be used with ${concurrency}${hint}`);
  const ratio = workload.traceSharedPrefixRatio;
  if (traceFormat === 'applied_compute_agentic' && !(ratio >= 0 && ratio <= 1))
    throw new InputError(`${names.of('trace_shared_prefix_ratio')}: must be from 0 to 1, found ${ratio}`);
}

function checkSynthetic(workload: WorkloadSpec, names: Names): void {
  const { inputTokens, outputTokens, requestCount } = workload;
  const { replayConcurrency, requestRate, arrivalIntervalMs, maxSimTimeSeconds } = workload;
  if (inputTokens === undefined || outputTokens === undefined || requestCount === undefined)
    throw new InputError(`synthetic load needs all of ${lengths(names)}`);
  const controllers = [replayConcurrency, requestRate, arrivalIntervalMs];
  if (controllers.filter((value) => value !== undefined).length !== 1) {
    const [concurrency, rate, interval] = ['replay_concurrency', 'request_rate', 'arrival_interval_ms'].map(
      names.short,
    );
    throw new InputError(`synthetic load needs exactly one of ${concurrency}, ${rate} and ${interval}`);
  }
  if (maxSimTimeSeconds !== undefined)
    throw new InputError(`${names.short('max_sim_time_seconds')} applies to trace replay only`);
  checkSessions(workload, names);
}

function checkSessions(workload: WorkloadSpec, names: Names): void {
  const { turnsPerSession: turns, sharedPrefixRatio: ratio, interTurnDelayMs: delay } = workload;
  const isSessions = turns > 1 || ratio > 0 || workload.numPrefixGroups > 0 || delay > 0;
  if (!isSessions) return;
  if (turns < 1) throw new InputError(`${names.of('turns_per_session')}: must be at least 1, found ${turns}`);
  if (delay < 0)
    throw new InputError(`${names.of('inter_turn_delay_ms')}: must not be negative, found ${delay}`);
  if (ratio < 0 || ratio > 1)
    throw new InputError(`${names.of('shared_prefix_ratio')}: must be from 0 to 1, found ${ratio}`);
}
