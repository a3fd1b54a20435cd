import type { CacheUse } from '../engine/engine-core.js';
import type { EngineLoad } from '../engine/engine-load.js';
import type { LinkUse } from '../engine/tiers/link.js';
import type { TierUse } from '../engine/tiers/shared.js';
import type { ReportValue } from '../report/report.js';
import type { RouterUse } from '../router/router.js';

/** What one worker did in a run; tokens are those of requests that have left it. */
export interface WorkerWork {
  requests: number;
  inputTokens: number;
  reusedTokens: number;
  outputTokens: number;
  /** Time in passes. */
  busyMs: number;
  /** Of all its ranks together. */
  cache: CacheUse;
  /** One for each of its ranks. */
  loads: readonly EngineLoad[];
}

/** What the engines of a fleet, or of one of its stages, and what is around them did in a run. */
export interface PoolUse {
  workers: readonly WorkerWork[];
  router: RouterUse | undefined;
  tiers: TierUse | undefined;
}

type Section = Record<string, ReportValue>;

/** The sections of the report on a pool, their names after a prefix. Times in milliseconds. */
export function poolSections({ workers, router, tiers }: PoolUse, prefix: string): Section {
  return {
    [`${prefix}workers`]: workers.map((work, worker) => workerSection(work, worker)),
    ...(router && { [`${prefix}router`]: routerSection(router) }),
    ...(tiers && { [`${prefix}kv_tiers`]: tierSection(tiers) }),
  };
}

function workerSection({ cache, loads, ...work }: WorkerWork, worker: number): Section {
  const total = (name: Exclude<keyof EngineLoad, 'noteWait'>) =>
    loads.reduce((sum, load) => sum + load[name], 0);
  return {
    worker,
    requests: work.requests,
    input_tokens: work.inputTokens,
    reused_tokens: work.reusedTokens,
    output_tokens: work.outputTokens,
    busy_ms: work.busyMs,
    kv_blocks: cache.blocks,
    kv_peak_blocks: cache.peakBlocks,
    kv_evicted_blocks: cache.evictedBlocks,
    preemptions: total('preemptions'),
    passes: total('passes'),
    passes_short_of_kv_blocks: total('waitedForBlocks'),
    passes_short_of_sequences: total('waitedForSequences'),
    passes_short_of_tokens: total('waitedForTokens'),
    kv_blocks_wait_ms: total('blocksWaitMs'),
    sequences_wait_ms: total('sequencesWaitMs'),
    tokens_wait_ms: total('tokensWaitMs'),
    blocked_heads: total('blockedHeads'),
  };
}

function routerSection(use: RouterUse): Section {
  return {
    placed_requests: use.placed,
    mean_overlap_tokens: ratio(use.overlapTokens, use.placed),
    overlap_ratio: ratio(use.overlapTokens, use.inputTokens),
    queued_requests: use.queued,
    mean_queue_ms: ratio(use.queueMs, use.queued),
    max_queue_ms: use.maxQueueMs,
  };
}

function tierSection(use: TierUse): Section {
  const { onboardedBlocks, copiedBlocks } = use;
  return {
    onboarded_blocks: onboardedBlocks,
    offloaded_blocks: use.offloadedBlocks,
    known_blocks: use.knownBlocks,
    crowded_out_blocks: use.crowdedOutBlocks,
    copied_blocks: copiedBlocks,
    links: Object.fromEntries(Object.entries(use.links).map(([name, link]) => [name, linkSection(link)])),
  };
}

function linkSection({ bytes, transfers, busyMs, queueMs, maxQueueMs }: LinkUse): Section {
  return {
    bytes,
    transfers,
    busy_ms: busyMs,
    mean_queue_ms: ratio(queueMs, transfers),
    max_queue_ms: maxQueueMs,
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
