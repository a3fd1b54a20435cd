import { duration, percent } from '../../report/words.js';
import type { MeanBounds, Metrics } from '../job.js';

/** A bound that a deployment has to keep. */
export interface Goal {
  name: string;
  bound: number;
}

interface GoalKind {
  /** Key of the report. */
  key: string;
  title: string;
  /** 1 where the bound is a least value, -1 where it is a most. */
  direction: 1 | -1;
  text(value: number): string;
}

const LATENCIES = { ttft: 'ttft_ms', itl: 'tpot_ms', e2e: 'e2e_latency_ms' } as const;
const TITLES = { ttft: 'TTFT', itl: 'time per output token', e2e: 'request latency' } as const;
const STATISTICS = ['mean', 'p75', 'p90', 'p95', 'p99', 'max'];

const latencies = STATISTICS.flatMap((statistic) =>
  (['ttft', 'itl', 'e2e'] as const).map((latency): [string, GoalKind] => [
    statistic === 'mean' ? `${latency}_ms` : `${statistic}_${latency}_ms`,
    {
      key: `${statistic}_${LATENCIES[latency]}`,
      title: `${statistic} ${TITLES[latency]}`,
      direction: -1,
      text: duration,
    },
  ]),
);

/** Bounds by their names: `ttft_ms` is on the mean, `p99_ttft_ms` on a percentile. */
export const GOAL_KINDS: ReadonlyMap<string, GoalKind> = new Map([
  ...latencies,
  [
    'attainment',
    { key: 'sla.attainment', title: 'requests that keep the goals', direction: 1, text: percent },
  ],
  [
    'min_throughput_tok_s',
    {
      key: 'output_throughput_tok_s',
      title: 'output throughput',
      direction: 1,
      text: (value) => `${value.toFixed(0)} tokens/s`,
    },
  ],
  [
    'min_goodput_rps',
    {
      key: 'goodput_request_throughput_rps',
      title: 'goodput',
      direction: 1,
      text: (value) => `${value.toFixed(2)} requests/s`,
    },
  ],
]);

/** Whether and why a run misses goals. */
export interface Verdict {
  /** How far goals are missed, as the sum of parts; 0 where all are kept. */
  violation: number;
  /** The goal that is missed most, in words; empty where none is. */
  reason: string;
}

/** Judges the numbers of a run. */
export function judge(goals: readonly Goal[], metrics: Metrics): Verdict {
  let violation = 0;
  let worst = 0;
  let reason = '';
  for (const { name, bound } of goals) {
    const kind = GOAL_KINDS.get(name)!;
    const value = metrics[kind.key];
    const missed = missedBy(value, bound, kind.direction);
    violation += missed;
    if (missed <= worst) continue;
    worst = missed;
    reason =
      value === undefined
        ? `${kind.title} is unknown`
        : `${cause(name, metrics)}${kind.title} ${kind.text(value)} against ${kind.text(bound)}`;
  }
  return { violation, reason };
}

function missedBy(value: number | undefined, bound: number, direction: 1 | -1): number {
  if (value === undefined || Number.isNaN(value)) return Number.POSITIVE_INFINITY;
  if (direction === -1) return bound > 0 ? Math.max(value / bound - 1, 0) : Number(value > bound);
  return Math.max(1 - value / bound, 0);
}

/** What most of a time to first token is spent on, where that is not the prompt itself. */
function cause(name: string, metrics: Metrics): string {
  if (!name.includes('ttft')) return '';
  const queue = metrics['ttft_parts_ms.queue'] ?? 0;
  const work = metrics['ttft_parts_ms.schedule_to_first_token'] ?? 0;
  return queue > work ? 'queueing: ' : 'prompts take long: ';
}

/** Bounds that show during a run that it has become hopeless. */
export function meanBounds(goals: readonly Goal[]): MeanBounds | undefined {
  const ttft = goals.find(({ name }) => name === 'ttft_ms');
  return ttft && { ttftMs: ttft.bound };
}
