import type { Report } from '../report/report.js';

/** What a change brings: parts of latencies saved, parts of throughput and attainment added, requests completed. */
export type Gains = Record<string, number>;

const LATENCIES: Record<string, string> = {
  mean_ttft: 'mean_ttft_ms',
  mean_e2e: 'mean_e2e_latency_ms',
  mean_tpot: 'mean_tpot_ms',
  p99_ttft: 'p99_ttft_ms',
  p99_e2e: 'p99_e2e_latency_ms',
};
/** From which part on a change helps or harms; a point of attainment is more than a part of a mean. */
const HELPS = 0.05;
const ATTAINMENT = 0.01;
/** Part of the whole latency for which a later first token may be worth it. */
const WORTH_A_TRADE = 0.1;

/** @param base the run without the change */
export function gainsOf(base: Report, report: Report): Gains {
  const number = (from: Report, key: string) => from[key] as number;
  const gains: Gains = {};
  for (const [name, key] of Object.entries(LATENCIES))
    if (number(base, key) > 0) gains[name] = 1 - number(report, key) / number(base, key);
  if (number(base, 'request_throughput_rps') > 0)
    gains.throughput = number(report, 'request_throughput_rps') / number(base, 'request_throughput_rps') - 1;
  const attained = (from: Report) => (from.sla as { attainment: number } | undefined)?.attainment;
  const [before, after] = [attained(base), attained(report)];
  if (before !== undefined && after !== undefined) gains.attainment = after - before;
  gains.completed = number(report, 'completed_requests') - number(base, 'completed_requests');
  return gains;
}

/** Whether a change makes anything worse that people look at. */
export function harms(gains: Gains): boolean {
  return (
    gains.mean_e2e <= -HELPS ||
    gains.mean_ttft <= -HELPS ||
    gains.throughput <= -HELPS ||
    gains.attainment <= -ATTAINMENT ||
    gains.completed < 0
  );
}

/** Whether a change makes a latency shorter, in its mean or its tail. */
export function helps(gains: Gains, latency: 'ttft' | 'e2e'): boolean {
  return Math.max(gains[`mean_${latency}`] ?? 0, gains[`p99_${latency}`] ?? 0) >= HELPS;
}

/** Whether a change makes requests shorter in all, and makes nothing worse but the time to their first token. */
export function trades(gains: Gains): boolean {
  return gains.mean_e2e >= WORTH_A_TRADE && !harms({ ...gains, mean_ttft: 0 });
}

/** How much a change is worth; the means count, whichever falls more. */
export function worth(gains: Gains): number {
  return Math.max(gains.mean_e2e ?? 0, gains.mean_ttft ?? 0);
}
