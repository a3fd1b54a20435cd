import type { Collector } from './collector.js';
import type { LatencyParts } from './latency-parts.js';

/** The report so far, by key. */
type Report = Readonly<Record<string, unknown>>;

/** Something that a run shows, and what to change about it. */
interface Finding {
  name: string;
  text: string;
  remedy: string;
}

interface Anomaly extends Finding {
  count: number;
}

/** How a fleet coped with its load. */
interface Verdict {
  state: 'stable' | 'backlogged' | 'overloaded' | 'idle';
  evidence: string[];
}

/** What a worker did, as the report tells it. */
type Worker = Record<string, number>;

const MOST_BOTTLENECKS = 3;
/** Part of the latency from which on something counts as a bottleneck, and from which on a fleet is backlogged. */
const LEAST_SHARE = 0.1;
const BACKLOG_SHARE = 0.2;
/** Growth of the waiting time with time, and how sure it must be, for a fleet to count as overloaded. */
const OVERLOAD_SLOPE = 0.02;
const OVERLOAD_CORRELATION = 0.5;

const percent = (part: number) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
const seconds = (ms: number) =>
  Math.abs(ms) < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** Verdict, bottlenecks and anomalies of a run whose numbers are in the report. */
export function findings(report: Report, collector: Collector, isOpenLoop: boolean) {
  const pools = ['', 'prefill_', 'decode_']
    .map((stage) => ({ stage, workers: report[`${stage}workers`] as Worker[] | undefined }))
    .filter((pool): pool is Pool => pool.workers !== undefined);
  return {
    verdict: verdictOf(report, collector, pools, isOpenLoop),
    bottlenecks: bottlenecksOf(report, collector, pools),
    anomalies: anomaliesOf(report, pools),
  };
}

interface Pool {
  stage: string;
  workers: Worker[];
}

const sum = (workers: readonly Worker[], key: string) =>
  workers.reduce((total, worker) => total + worker[key], 0);

function queueMs(parts: LatencyParts): number {
  return parts.router_queue + parts.worker_queue + parts.decode_room + parts.decode_queue;
}

// ---- Verdict -------------------------------------------------------------------------------------------------

function verdictOf(report: Report, collector: Collector, pools: Pool[], isOpenLoop: boolean): Verdict {
  const { waits, latencyParts, durationMs } = collector;
  const evidence: string[] = [];
  if (collector.completed === 0)
    return { state: 'idle', evidence: [`none of ${report.num_requests} requests completed`] };
  const totalMs = report.mean_e2e_latency_ms as number;
  const queue = queueMs(latencyParts.means);
  const share = totalMs > 0 ? queue / totalMs : 0;
  for (const { stage, workers } of pools) {
    const busy = durationMs > 0 ? sum(workers, 'busy_ms') / (workers.length * durationMs) : 0;
    evidence.push(`${stage === '' ? '' : `${stage.slice(0, -1)} `}workers busy ${percent(busy)} of the time`);
  }
  evidence.push(`requests spend ${percent(share)} of their latency (${seconds(queue)}) in queues`);
  const growth = waits.slope * (waits.mostX - waits.leastX);
  const isGrowing =
    isOpenLoop &&
    waits.slope >= OVERLOAD_SLOPE &&
    waits.correlation >= OVERLOAD_CORRELATION &&
    growth > totalMs - queue;
  if (isGrowing) {
    evidence.unshift(
      `waiting grew by ${seconds(1000 * waits.slope)} with each second of arrivals: about ${percent(waits.slope)} more came than could be served`,
      `the queue took ${seconds(durationMs - waits.mostX)} to drain after the last arrival`,
    );
    return { state: 'overloaded', evidence };
  }
  const isBacklogged = share >= BACKLOG_SHARE;
  if (isBacklogged) evidence.unshift('queues form but do not keep growing');
  const unfinished = report.unfinished_requests as number;
  if (unfinished > 0) evidence.push(`${number.format(unfinished)} requests were unfinished at the end`);
  return { state: isBacklogged ? 'backlogged' : 'stable', evidence };
}

// ---- Bottlenecks ---------------------------------------------------------------------------------------------

type Explain = (report: Report, pools: readonly Pool[]) => { what: string; remedy: string };

/** What to say of parts of the latency that are no work on the request itself. */
const EXPLANATIONS: Partial<Record<keyof LatencyParts, Explain>> = {
  frontend: () => ({ what: 'in the frontend', remedy: 'more frontends, or a faster tokeniser' }),
  router_queue: () => ({
    what: 'held back by the router',
    remedy: 'add workers, or raise router_queue_threshold so that requests go to workers sooner',
  }),
  worker_queue: (_, pools) => whyQueued(pools.filter(({ stage }) => stage !== 'decode_')),
  decode_queue: (_, pools) => whyQueued(pools.filter(({ stage }) => stage === 'decode_')),
  chunk_wait: () => ({
    what: 'between chunks of prompts, while passes compute for others',
    remedy: 'raise max_num_batched_tokens, or add workers',
  }),
  decode_room: () => ({
    what: 'waiting for room on decode workers',
    remedy: 'add decode workers or KV blocks on them, or move workers from prefill to decode',
  }),
  transfer: () => ({
    what: 'moving KV from prefill to decode workers',
    remedy: 'raise kv_transfer_bandwidth, or serve prompt and output on the same workers',
  }),
  preemption: () => ({
    what: 'lost to preemptions',
    remedy: 'more KV blocks (num_gpu_blocks), or a lower max_num_seqs',
  }),
  delivery: () => ({ what: 'delivering tokens', remedy: 'look at the network and the frontend' }),
};

function whyQueued(pools: readonly Pool[]): { what: string; remedy: string } {
  const workers = pools.flatMap((pool) => pool.workers);
  const passes = Math.max(1, sum(workers, 'passes'));
  const causes = [
    {
      part: sum(workers, 'passes_short_of_kv_blocks') / passes,
      what: 'waiting for KV blocks',
      remedy: 'more KV blocks (num_gpu_blocks, more GPU memory, a smaller KV dtype), or more workers',
    },
    {
      part: sum(workers, 'passes_short_of_sequences') / passes,
      what: 'waiting behind max_num_seqs sequences',
      remedy: 'raise max_num_seqs as far as KV blocks and latency allow, or add workers',
    },
    {
      part: sum(workers, 'passes_short_of_tokens') / passes,
      what: 'waiting for tokens of a pass (max_num_batched_tokens)',
      remedy: 'add workers or a faster prefill; a larger max_num_batched_tokens helps if passes are short',
    },
  ].sort((a, b) => b.part - a.part);
  const [{ part, what, remedy }] = causes;
  if (part < LEAST_SHARE / 10)
    return {
      what: 'waiting for the pass under way',
      remedy: 'a smaller max_num_batched_tokens makes passes shorter; more workers make arrivals rarer',
    };
  return { what: `${what} (in ${percent(part)} of all passes)`, remedy };
}

function bottlenecksOf(report: Report, collector: Collector, pools: readonly Pool[]): Finding[] {
  const totalMs = report.mean_e2e_latency_ms as number;
  if (!(totalMs > 0)) return [];
  const shares = Object.entries(collector.latencyParts.means)
    .map(([part, ms]) => ({ part: part as keyof LatencyParts, share: ms / totalMs, ms }))
    .sort((a, b) => b.share - a.share);
  const found = shares.flatMap(({ part, share, ms }): Finding[] => {
    const explain = EXPLANATIONS[part];
    if (!explain || share < LEAST_SHARE) return [];
    const { what, remedy } = explain(report, pools);
    return [{ name: part, text: `${percent(share)} of the latency (${seconds(ms)}) is ${what}`, remedy }];
  });
  found.push(...workBottleneck(report, shares[0], pools));
  return found.slice(0, MOST_BOTTLENECKS);
}

/** Where most of the latency is work on the requests themselves. */
function workBottleneck(
  report: Report,
  { part, share }: { part: keyof LatencyParts; share: number },
  pools: readonly Pool[],
): Finding[] {
  if (share < 0.5) return [];
  const reused = report.prefix_cache_reused_ratio as number;
  if (part === 'prefill') {
    const routes = pools[0].workers.length > 1 && !('router' in report || 'prefill_router' in report);
    const text = `${percent(share)} of the latency is computing prompts, of which the cache held ${percent(reused)}`;
    const remedy = routes
      ? 'route by cached prefixes (--router-mode kv_router), or a higher tensor parallelism'
      : 'more cache (num_gpu_blocks, --kv-offload), or a higher tensor parallelism';
    return [{ name: part, text, remedy }];
  }
  if (part !== 'decode') return [];
  const text = `${percent(share)} of the latency is generating, at ${seconds(report.mean_tpot_ms as number)} a token`;
  const remedy =
    'a higher tensor parallelism, smaller batches (more workers, lower max_num_seqs), or speculation';
  return [{ name: part, text, remedy }];
}

// ---- Anomalies -----------------------------------------------------------------------------------------------

const THRASH_PART = 0.05;
const BLOCKED_PART = 0.01;
const CHURNED_POOLS = 2;
const IMBALANCE = 1.25;

function anomaliesOf(report: Report, pools: readonly Pool[]): Anomaly[] {
  const rejected = report.rejected_requests as number;
  const preemptions = report.preemptions as number;
  const found: Anomaly[] = [];
  if (rejected > 0)
    found.push({
      name: 'unservable_requests',
      count: rejected,
      text: `${number.format(rejected)} requests could never run`,
      remedy: 'raise num_gpu_blocks (or max_model_len), or cut such requests off in the frontend',
    });
  if (preemptions > THRASH_PART * (report.num_requests as number))
    found.push({
      name: 'preemption_thrash',
      count: preemptions,
      text: `${number.format(preemptions)} preemptions for ${number.format(report.num_requests as number)} requests: work is thrown away and done again`,
      remedy: 'more KV blocks, or a lower max_num_seqs',
    });
  for (const pool of pools) found.push(...poolAnomalies(pool, report));
  return found;
}

function poolAnomalies({ stage, workers }: Pool, report: Report): Anomaly[] {
  const found: Anomaly[] = [];
  const whose = stage === '' ? '' : ` of ${stage.slice(0, -1)} workers`;
  const blocked = sum(workers, 'blocked_heads');
  if (blocked > BLOCKED_PART * sum(workers, 'passes'))
    found.push({
      name: `${stage}head_of_line_blocking`,
      count: blocked,
      text: `in ${number.format(blocked)} passes the head of a queue${whose} did not fit while one behind it would have`,
      remedy: 'more KV blocks, or separate long prompts (policy classes of the router, another fleet)',
    });
  const evicted = sum(workers, 'kv_evicted_blocks');
  const blocks = Math.max(1, sum(workers, 'kv_blocks'));
  const reused = report.prefix_cache_reused_ratio as number;
  if (evicted > CHURNED_POOLS * blocks && sum(workers, 'kv_peak_blocks') > 0.9 * blocks)
    found.push({
      name: `${stage}cache_churn`,
      count: evicted,
      text: `the KV cache${whose} was replaced ${number.format(evicted / blocks)} times while ${percent(reused)} of the input was reused`,
      remedy: 'a larger cache (num_gpu_blocks, --kv-offload), or routing by cached prefixes',
    });
  const busy = workers.map((worker) => worker.busy_ms);
  const most = Math.max(...busy);
  const mean = busy.reduce((a, b) => a + b, 0) / busy.length;
  if (workers.length > 1 && mean > 0.05 * (report.duration_ms as number) && most > IMBALANCE * mean)
    found.push({
      name: `${stage}imbalance`,
      count: busy.filter((ms) => ms > IMBALANCE * mean).length,
      text: `the busiest worker${whose} worked ${number.format(most / mean)} times the mean`,
      remedy: 'a router that looks at load (--router-mode kv_router), or a lower overlap weight in it',
    });
  return found;
}
