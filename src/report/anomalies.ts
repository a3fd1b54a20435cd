import type { Remedy } from './bottlenecks.js';
import { type Numbers, type Pool, sumOf } from './numbers.js';
import { counted, percent } from './words.js';

/** Something that should not be. */
export interface Anomaly {
  name: 'unservable_requests' | 'preemption_thrash' | 'head_of_line_blocking' | 'cache_churn' | 'imbalance';
  stage?: 'prefill' | 'decode';
  count: number;
  text: string;
  remedies: Remedy[];
}

/** Preemptions for each request, or part of the latency that they take, from which on they are mentioned. */
const THRASH_PART = 0.05;
const THRASH_SHARE = 0.1;
/** Part of the passes in which the head of a queue is in the way. */
const BLOCKED_PART = 0.01;
/** Busy time of the busiest worker over the mean, and how busy and used workers must be for it to matter. */
const IMBALANCE = 1.25;
const LEAST_BUSY = 0.05;
const LEAST_REQUESTS = 2;
/** How many of its contents a pool must have evicted before a larger one is worth a try. */
const CHURNED_POOLS = 0.2;

/** What is odd about a run, but for what only an experiment can tell. */
export function anomaliesOf(report: Numbers, pools: readonly Pool[]): Anomaly[] {
  const found: Anomaly[] = [];
  const rejected = report.rejected_requests as number;
  if (rejected > 0)
    found.push({
      name: 'unservable_requests',
      count: rejected,
      text: `${counted(rejected, 'request')} could never run`,
      remedies: [],
    });
  const preemptions = report.preemptions as number;
  const requests = report.num_requests as number;
  const parts = report.latency_parts_ms as Record<string, number>;
  const share = (parts.preemption ?? 0) / (report.mean_e2e_latency_ms as number);
  if (preemptions > 0 && (preemptions > THRASH_PART * requests || share >= THRASH_SHARE))
    found.push({
      name: 'preemption_thrash',
      ...(pools.length > 1 && { stage: 'decode' as const }),
      count: preemptions,
      text: `${counted(preemptions, 'preemption')} for ${counted(requests, 'request')}: work is thrown away and done again`,
      remedies: [],
    });
  for (const pool of pools) found.push(...headOfLine(pool), ...imbalance(pool, report));
  return found;
}

function named({ stage }: Pool): { stage?: 'prefill' | 'decode' } {
  return stage === '' ? {} : { stage };
}

function whose({ stage }: Pool): string {
  return stage === '' ? '' : ` of ${stage} workers`;
}

function headOfLine(pool: Pool): Anomaly[] {
  const blocked = sumOf(pool.workers, 'blocked_heads');
  if (blocked <= BLOCKED_PART * sumOf(pool.workers, 'passes')) return [];
  return [
    {
      name: 'head_of_line_blocking',
      ...named(pool),
      count: blocked,
      text: `in ${counted(blocked, 'pass', 'passes')} the head of a queue${whose(pool)} did not fit while one behind it would have`,
      remedies: [],
    },
  ];
}

function imbalance(pool: Pool, report: Numbers): Anomaly[] {
  const busy = pool.workers.map((worker) => worker.busy_ms);
  const mean = busy.reduce((a, b) => a + b, 0) / busy.length;
  const most = busy.reduce((a, b) => Math.max(a, b), 0);
  const isUsed =
    busy.length > 1 &&
    (report.num_requests as number) >= LEAST_REQUESTS * busy.length &&
    mean > LEAST_BUSY * (report.duration_ms as number);
  if (!isUsed || most <= IMBALANCE * mean) return [];
  return [
    {
      name: 'imbalance',
      ...named(pool),
      count: busy.filter((ms) => ms > IMBALANCE * mean).length,
      text: `the busiest worker${whose(pool)} worked ${(most / mean).toFixed(1)} times the mean`,
      remedies: [],
    },
  ];
}

/** Pools that evict so much that a larger one might hold more of what comes again. */
export function mayChurn(pools: readonly Pool[]): Pool[] {
  return pools.filter(
    (pool) => sumOf(pool.workers, 'kv_evicted_blocks') > CHURNED_POOLS * sumOf(pool.workers, 'kv_blocks'),
  );
}

/** The cache of a pool holds too little: a larger one was tried. */
export function cacheChurn(pool: Pool, reuse: number, largerReuse: number, times: number): Anomaly {
  const evicted = sumOf(pool.workers, 'kv_evicted_blocks');
  return {
    name: 'cache_churn',
    ...named(pool),
    count: evicted,
    text: `blocks${whose(pool)} are evicted that come again: ${percent(Math.min(1, reuse))} of the input was reused, with ${times} times the blocks ${percent(Math.min(1, largerReuse))}`,
    remedies: [],
  };
}
