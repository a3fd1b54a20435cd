import type { PlannerPicture, StagePicture } from './picture-types.js';
import type { PlannerOutcome, PlannerTick } from './planner-outcome.js';

type Values = (number | null)[];

/** Ticks and engines that are drawn at most. */
const MOST_TICKS = 4000;
const MOST_ENGINES = 32;
const HOUR_MS = 3_600_000;

/** What a page draws of a planner. */
export function plannerPicture(outcome: PlannerOutcome): PlannerPicture {
  const step = Math.ceil(outcome.ticks.length / MOST_TICKS);
  const ticks = outcome.ticks.filter((_, index) => index % step === 0);
  const column = (read: (tick: PlannerTick) => number | undefined): Values =>
    ticks.map((tick) => read(tick) ?? null);
  const belief = (name: string): Values =>
    column(({ beliefs }) => (typeof beliefs?.[name] === 'number' ? beliefs[name] : undefined));
  return {
    policy: outcome.policy,
    at_ms: ticks.map(({ atMs }) => atMs),
    stages: outcome.stages.map(({ name, kvTokens }, index) => stagePicture(ticks, name, kvTokens, index)),
    requests_per_s: column(({ requests, seconds }) => (seconds > 0 ? requests / seconds : undefined)),
    predicted_requests_per_s: perSecond(ticks, belief('predicted_num_req')),
    ttft_ms: column(({ ttftMs }) => ttftMs),
    estimated_ttft_ms: belief('estimated_ttft_ms'),
    itl_ms: column(({ itlMs }) => itlMs),
    estimated_itl_ms: belief('estimated_itl_ms'),
    input_tokens: column(({ inputTokens }) => inputTokens),
    predicted_input_tokens: belief('predicted_isl'),
    output_tokens: column(({ outputTokens }) => outputTokens),
    predicted_output_tokens: belief('predicted_osl'),
    capacity_prefill_rps: belief('engine_rps_prefill'),
    capacity_decode_rps: belief('engine_rps_decode'),
    gpu_hours: gpuHours(outcome, ticks),
    reasons: reasonsOf(ticks),
    decisions: decisionsOf(outcome),
  };
}

/** Requests foretold for the time from one forecast to the next, as a rate. */
function perSecond(ticks: readonly PlannerTick[], requests: Values): Values {
  let sinceMs = 0;
  return requests.map((value, index) => {
    if (value === null) return null;
    const seconds = (ticks[index].atMs - sinceMs) / 1000;
    sinceMs = ticks[index].atMs;
    return seconds > 0 ? value / seconds : null;
  });
}

function stagePicture(
  ticks: readonly PlannerTick[],
  name: string,
  kvTokens: number | undefined,
  stage: number,
): StagePicture {
  const picture: StagePicture = {
    name,
    kv_tokens: kvTokens ?? null,
    active: ticks.map(({ stages }) => stages[stage].active),
    provisioned: ticks.map(({ stages }) => provisioned(stages[stage])),
    target: ticks.map(({ stages }) => stages[stage].target ?? null),
    decode_tokens: {},
    queued_prefill_tokens: {},
  };
  ticks.forEach(({ stages }, index) => {
    for (const { worker, rank, queuedPrefillTokens, queuedDecodeTokens, decodeTokens } of stages[stage]
      .ranks) {
      const engine = rank > 0 ? `${worker}.${rank}` : String(worker);
      const isDrawn =
        engine in picture.decode_tokens || Object.keys(picture.decode_tokens).length < MOST_ENGINES;
      if (!isDrawn) continue;
      put(picture.decode_tokens, engine, ticks.length)[index] = decodeTokens + queuedDecodeTokens;
      put(picture.queued_prefill_tokens, engine, ticks.length)[index] = queuedPrefillTokens;
    }
  });
  return picture;
}

function put(series: Record<string, Values>, name: string, length: number): Values {
  series[name] ??= new Array<number | null>(length).fill(null);
  return series[name];
}

function provisioned({ active, starting, draining }: PlannerTick['stages'][number]): number {
  return active + starting + draining;
}

/** Up to each tick, taking the fleet that was there at its end for the time since the tick before. */
function gpuHours({ stages }: PlannerOutcome, ticks: readonly PlannerTick[]): number[] {
  let [hours, sinceMs] = [0, 0];
  return ticks.map((tick) => {
    const gpus = tick.stages.reduce((sum, stage, index) => sum + provisioned(stage) * stages[index].gpus, 0);
    hours += (gpus * (tick.atMs - sinceMs)) / HOUR_MS;
    sinceMs = tick.atMs;
    return hours;
  });
}

/** A row a reason: its place among the reasons where it was given. */
function reasonsOf(ticks: readonly PlannerTick[]): Record<string, Values> {
  const reasons: Record<string, Values> = {};
  ticks.forEach((tick, index) => {
    const reason = reasonOf(tick);
    if (reason === undefined) return;
    put(reasons, reason, ticks.length)[index] = Object.keys(reasons).indexOf(reason) + 1;
  });
  return reasons;
}

/** A reason without the numbers that differ from tick to tick. */
function reasonOf({ reason }: PlannerTick): string | undefined {
  return reason?.replaceAll(/\d+(\.\d+)?/g, 'n');
}

function decisionsOf({ events, ticks }: PlannerOutcome): PlannerPicture['decisions'] {
  const reasons = new Map(ticks.map((tick) => [Math.round(tick.atMs), tick.reason]));
  return events.map(({ at_s, component, from, to }) => ({
    ...{ at_ms: at_s * 1000, stage: component, from, to },
    why: reasons.get(Math.round(at_s * 1000)) ?? '',
  }));
}
