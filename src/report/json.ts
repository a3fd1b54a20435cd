import { latencyParts } from './latency-parts.js';
import type { RequestHistory, RequestOutcome, Route } from './outcome.js';
import { COUNT_KEYS, type Report } from './report.js';

/** A float in Python's shortest form: always with a point or an exponent, `1e-05` rather than `0.00001`. */
export function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${Object.is(value, -0) ? '-0' : value}.0`;
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 16) return String(value);
  const sign = power < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

function valueText(key: string, value: Report[string]): string {
  if (typeof value === 'number') return COUNT_KEYS.has(key) ? String(value) : floatText(value);
  return isExact(value) ? value.exactText() : JSON.stringify(value);
}

/** Whether a value knows its JSON text, with numbers that JavaScript would round. */
function isExact(value: Report[string]): value is { exactText(): string } {
  return typeof value === 'object' && value !== null && 'exactText' in value;
}

/** The report file: keys sorted, indented by 2, a newline at the end. */
export function reportJson(report: Report): string {
  const lines = Object.keys(report)
    .sort()
    .map((key) => `  ${JSON.stringify(key)}: ${valueText(key, report[key])}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

const orNull = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

/**
 * One line of the per-request file, in the reference's key order.
 * @param tellsHistory whether it tells of every route and admission where they are known, and not only how many there were
 */
export function recordJson(outcome: RequestOutcome, tellsHistory = true): string {
  const { arrivalMs, firstTokenMs, lastTokenMs, outputTokens, stages } = outcome;
  const hasToken = outputTokens > 0;
  const hasGap = outputTokens > 1;
  return JSON.stringify({
    session_id: outcome.session,
    turn_index: outcome.turn,
    uuid: requestUuid(outcome.row),
    arrival_time_ms: arrivalMs,
    first_admit_ms: orNull(outcome.firstAdmitMs),
    terminal_time_ms: orNull(outcome.terminalMs),
    first_token_ms: hasToken ? firstTokenMs : null,
    last_token_ms: hasToken ? lastTokenMs : null,
    ttft_ms: hasToken ? Math.max(0, firstTokenMs - arrivalMs) : null,
    e2e_latency_ms: hasToken ? Math.max(0, lastTokenMs - arrivalMs) : null,
    ttst_ms: hasGap ? Math.max(0, outcome.secondTokenMs - firstTokenMs) : null,
    itl_ms: hasGap ? Math.max(0, lastTokenMs - firstTokenMs) / (outputTokens - 1) : null,
    input_length: outcome.inputTokens,
    requested_output_length: outcome.requestedTokens,
    output_length: outputTokens,
    reused_input_tokens: stages?.prefillReusedTokens ?? outcome.reusedTokens,
    prefill_worker_idx: stages?.prefillWorker ?? null,
    decode_worker_idx: outcome.worker,
    prefill_admit_ms: orNull(stages?.prefillAdmitMs),
    source_held_ms: orNull(stages?.sourceHeldMs),
    destination_reserved_ms: orNull(stages?.destinationReservedMs),
    destination_activated_ms: orNull(stages?.destinationActivatedMs),
    decode_admit_ms: orNull(stages?.decodeAdmitMs),
    source_released_ms: orNull(stages?.sourceReleasedMs),
    decode_reused_input_tokens: stages?.decodeReusedTokens ?? null,
    prefill_route_overlap_tokens: stages?.prefillOverlapTokens ?? null,
    decode_route_overlap_tokens: stages?.decodeOverlapTokens ?? null,
    ...(outcome.history && historyJson(outcome.history, tellsHistory)),
    preemptions: outcome.preemptions,
    latency_parts_ms: latencyParts(outcome) ?? null,
    terminal_status: outcome.status,
  });
}

/** What release 1.6 tells of the way of a request. */
function historyJson({ routes, admissions }: RequestHistory, isFull: boolean): object {
  const perPool = new Map<string, number>();
  const admitted = admissions.map(({ pool, atMs, reusedTokens }, ordinal) => {
    const before = perPool.get(pool) ?? 0;
    perPool.set(pool, before + 1);
    return {
      admission_ordinal: ordinal,
      pool,
      pool_admission_ordinal: before,
      at_ms: atMs,
      reused_input_tokens: reusedTokens,
      is_readmission: before > 0,
    };
  });
  return {
    dispatched_at_ms: null,
    ...(isFull && { routing_history: routes.map(routeJson), admission_history: admitted }),
    admission_count: admitted.length,
    readmission_count: admitted.length - perPool.size,
    ...(isFull && { pressure_record_ordinals: [] }),
  };
}

function routeJson({ blocks, ...route }: Route): object {
  const wasHeld = !Number.isNaN(route.heldSinceMs);
  return {
    pool: route.pool,
    outcome: wasHeld ? 'queued' : 'immediate',
    queue_entered_at_ms: wasHeld ? route.heldSinceMs : null,
    released_at_ms: wasHeld ? route.releasedMs : null,
    queue_wait_ms: wasHeld ? route.releasedMs - route.heldSinceMs : 0,
    logical_worker_id: route.worker,
    scheduler_id: route.target,
    dp_rank: route.rank,
    reported_overlap_tokens: route.overlapTokens,
    selected_overlap_blocks: blocks?.overlap ?? null,
    best_available_overlap_blocks: blocks?.best ?? null,
    overlap_regret_blocks: blocks ? blocks.best - blocks.overlap : null,
    placement_replica_id: null,
  };
}

/** A stable id for the request in a row of its workload, in the form of a UUID. */
function requestUuid(row: number): string {
  return `00000000-0000-4000-8000-${(row + 1).toString(16).padStart(12, '0')}`;
}
