import type { LatencyParts } from './latency-parts.js';
import { type Numbers, type Pool, sumOf } from './numbers.js';
import { duration, percent } from './words.js';

/** Something to change, and what a run with the change measured. */
export interface Remedy {
  /** Configuration keys and their new values; null takes a key out. */
  change: Record<string, unknown>;
  /** Part of a latency that is saved (`mean_ttft`, `mean_e2e`, ...), or part by which throughput grows. */
  gain: Record<string, number>;
  text: string;
}

/** What a part of the latency went to, and what helps. */
export interface Bottleneck {
  /** The setting, resource or step that time was spent on or waiting for. */
  limit: string;
  stage?: 'prefill' | 'decode';
  share_of_latency: number;
  /** The latency that it makes longer. */
  latency: 'ttft' | 'e2e';
  text: string;
  /** Best first; empty where nothing that was tried helps. */
  remedies: Remedy[];
}

type Part = keyof LatencyParts;
/** A bottleneck, and the parts of the latency that it is made of. */
type Found = Omit<Bottleneck, 'remedies' | 'share_of_latency'> & { ms: number };

const MOST_BOTTLENECKS = 3;
/** Part of the latency from which on something counts as a bottleneck. */
const LEAST_SHARE = 0.1;
/** Part from which on computing and generating do, which are the work itself. */
const LEAST_WORK = 0.5;

/** Milliseconds of the mean latency that a bottleneck takes in a run, which may be another one than it was found in. */
export function bottleneckMs({ limit, stage }: Bottleneck, report: Numbers, pools: readonly Pool[]): number {
  const means = report.latency_parts_ms as Partial<Record<Part, number>>;
  const ms = (part: Part) => means[part] ?? 0;
  return [...waits(ms, pools, report), ...work(ms, report, 0)]
    .filter((one) => one.limit === limit && one.stage === stage)
    .reduce((sum, one) => sum + one.ms, 0);
}

/** What the latency of requests went to, largest first. */
export function bottlenecksOf(report: Numbers, pools: readonly Pool[]): Bottleneck[] {
  const totalMs = report.mean_e2e_latency_ms as number;
  if (!(totalMs > 0)) return [];
  const means = report.latency_parts_ms as Partial<Record<Part, number>>;
  const ms = (part: Part) => means[part] ?? 0;
  return [...waits(ms, pools, report), ...work(ms, report, totalMs)]
    .filter((one) => one.ms >= LEAST_SHARE * totalMs)
    .sort((a, b) => b.ms - a.ms)
    .slice(0, MOST_BOTTLENECKS)
    .map(({ ms, ...one }) => ({
      ...one,
      share_of_latency: Math.min(1, ms / totalMs),
      text: `${percent(Math.min(1, ms / totalMs))} of the latency (${duration(ms)}) is ${one.text}`,
      remedies: [],
    }));
}

/** Time in which nothing is done for a request. */
function waits(ms: (part: Part) => number, pools: readonly Pool[], report: Numbers): Found[] {
  const [first] = pools;
  const last = pools[pools.length - 1];
  const stageOf = (pool: Pool) => (pool.stage === '' ? {} : { stage: pool.stage });
  return [
    { limit: 'frontend', latency: 'ttft', ms: ms('frontend'), text: 'spent in the frontend' },
    { limit: 'router_queue', latency: 'ttft', ms: ms('router_queue'), text: 'held back by the router' },
    ...queue(ms('worker_queue'), first, report).map((one) => ({ ...one, ...stageOf(first) })),
    {
      limit: 'chunk_wait',
      ...stageOf(first),
      latency: 'ttft',
      ms: ms('chunk_wait'),
      text: 'between chunks of prompts, while passes compute for others',
    },
    {
      limit: 'decode_room',
      stage: 'decode',
      latency: 'ttft',
      ms: ms('decode_room'),
      text: 'waiting for room on decode workers',
    },
    {
      limit: 'kv_transfer',
      latency: 'ttft',
      ms: ms('transfer'),
      text: 'moving KV from prefill to decode workers',
    },
    ...queue(ms('decode_queue'), last, report).map((one) => ({ ...one, ...stageOf(last) })),
    {
      limit: 'preemption',
      ...stageOf(last),
      latency: 'e2e',
      ms: ms('preemption'),
      text: 'lost to preemptions',
    },
    { limit: 'delivery', latency: 'ttft', ms: ms('delivery'), text: 'delivering tokens' },
  ];
}

/** What the head of a queue lacked while requests waited in it, each weighed by the time that they waited. */
function queue(ms: number, { workers }: Pool, report: Numbers): Found[] {
  const waited = (key: string) => sumOf(workers, key);
  const lacks = [
    { limit: 'num_gpu_blocks', waited: waited('kv_blocks_wait_ms'), text: 'waiting for KV blocks' },
    {
      limit: 'max_num_seqs',
      waited: waited('sequences_wait_ms'),
      text: 'waiting behind as many sequences as may run (max_num_seqs)',
    },
    {
      limit: 'max_num_batched_tokens',
      waited: waited('tokens_wait_ms'),
      text: 'waiting while passes are full (max_num_batched_tokens)',
    },
  ];
  const known = lacks.reduce((sum, lack) => sum + lack.waited, 0);
  const all = Math.max(known, ms * (report.completed_requests as number));
  const share = (waitedMs: number) => (all > 0 ? (ms * waitedMs) / all : 0);
  return [
    ...lacks.map(({ limit, waited: waitedMs, text }) => ({
      limit,
      latency: 'ttft' as const,
      ms: share(waitedMs),
      text,
    })),
    {
      limit: 'pass_under_way',
      latency: 'ttft' as const,
      ms: all > 0 ? (ms * (all - known)) / all : ms,
      text: 'waiting for the pass under way to end',
    },
  ];
}

/** Time in which a request is worked on, where that is most of it. */
function work(ms: (part: Part) => number, report: Numbers, totalMs: number): Found[] {
  const found: Found[] = [];
  const cached = report.first_admission_prefix_cache_reused_ratio as number;
  if (ms('prefill') >= LEAST_WORK * totalMs)
    found.push({
      limit: 'prefill',
      latency: 'ttft',
      ms: ms('prefill'),
      text: `computing prompts, of which the cache held ${percent(Math.min(1, cached))} when they began`,
    });
  if (ms('decode') >= LEAST_WORK * totalMs)
    found.push({
      limit: 'decode',
      latency: 'e2e',
      ms: ms('decode'),
      text: `generating, at ${duration(report.mean_tpot_ms as number)} a token`,
    });
  return found;
}
