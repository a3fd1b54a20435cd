import { type Anomaly, anomaliesOf } from './anomalies.js';
import { type Bottleneck, bottlenecksOf } from './bottlenecks.js';
import type { Collector } from './collector.js';
import { type Numbers, poolsOf, sumOf } from './numbers.js';
import { type Course, type Verdict, verdictOf } from './verdict.js';
import { duration, percent } from './words.js';

export interface Findings {
  verdict: Verdict;
  bottlenecks: Bottleneck[];
  anomalies: Anomaly[];
}

/** Verdict, bottlenecks and anomalies of a run whose numbers are in the report; none of the remedies is known yet. */
export function findings(report: Numbers, course: Course): Findings {
  const pools = poolsOf(report);
  return {
    verdict: verdictOf(course),
    bottlenecks: bottlenecksOf(report, pools),
    anomalies: anomaliesOf(report, pools),
  };
}

/** How requests came and went, for a verdict. */
export function courseOf(report: Numbers, collector: Collector, isOpenLoop: boolean): Course {
  const { flow, durationMs } = collector;
  const requests = flow.requests();
  const lastMs = requests[requests.length - 1]?.comingMs ?? 0;
  const pools = poolsOf(report);
  return {
    requests,
    weight: flow.weight,
    hasStages: pools.length > 1,
    isOpenLoop,
    unfinished: report.unfinished_requests as number,
    rejected: collector.rejected,
    goals: goalsText(report.sla as Attainment | undefined),
    busy: pools.map(({ stage, workers }) => ({
      stage,
      // A pass that a cap cuts off counts whole.
      share: durationMs > 0 ? Math.min(1, sumOf(workers, 'busy_ms') / (workers.length * durationMs)) : 0,
    })),
    endMs: Math.max(durationMs, lastMs),
  };
}

interface Attainment {
  goals: Record<string, number>;
  attainment: number;
  [goal: string]: unknown;
}

function goalsText(sla: Attainment | undefined): string | undefined {
  if (!sla) return undefined;
  const goals = Object.entries(sla.goals).map(([key, ms]) => {
    const name = key.slice(0, -'_ms'.length);
    return `${name.toUpperCase()} of ${duration(ms)}: ${percent(sla[name] as number)}`;
  });
  return `${percent(sla.attainment)} of the requests kept the goals${goals.length > 1 ? ` (${goals.join(', ')})` : ` (${goals[0].split(':')[0]})`}`;
}
