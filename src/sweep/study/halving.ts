import { ranked } from '../search/sampler.js';
import { candidateOf } from './candidate.js';
import type { Point } from './space.js';
import type { Finding, Trials } from './trials.js';

/** Each rung takes a part of the candidates of the one before, on so much more of the workload. */
const FACTOR = 3;
/** Part of the workload that is looked at first, at least. */
const LEAST_PART = 1 / 27;
/** Candidates that are left for the whole workload, at least. */
const LEAST_LEFT = 4;

/**
 * Successive halving (Jamieson and Talwalkar, 2016) over growing beginnings of the workload: candidates go on by their
 * rank, since a short beginning flatters all of them alike, and those that are left are run to the end.
 */
export async function halve(
  trials: Trials,
  points: readonly Point[],
  onPlan?: (candidates: number) => void,
): Promise<void> {
  const { spec } = trials;
  const whole = 1 - spec.windows.heldOut;
  let left = points.slice(0, spec.optimizer.maxTrials);
  onPlan?.(Math.max(LEAST_LEFT, Math.ceil(left.length / (1 / LEAST_PART))));
  for (let part = LEAST_PART; part < 1 - 1e-9 && left.length > LEAST_LEFT; part *= FACTOR) {
    const findings = await Promise.all(
      left.map((point) => trials.find(candidateOf(spec, point), { from: 0, to: part * whole })),
    );
    const next = best(findings, Math.max(LEAST_LEFT, Math.ceil(left.length / FACTOR)));
    for (const finding of findings) if (!next.has(finding)) trials.note(droppedAt(finding, part));
    left = left.filter((_, at) => next.has(findings[at]));
  }
  await trials.measure(left);
}

function best(findings: readonly Finding[], count: number): Set<Finding> {
  const order = ranked(
    findings.map(({ candidate, objectives, violation }) => ({
      point: candidate.point,
      values: objectives,
      violation,
    })),
  ).slice(0, count);
  const kept = new Set(order.map(({ point }) => point));
  return new Set(findings.filter(({ candidate }) => kept.has(candidate.point)));
}

function droppedAt(finding: Finding, part: number): Finding {
  if (finding.status === 'unsupported' || finding.status === 'failed') return finding;
  const reason = finding.reason === '' ? 'others were better' : finding.reason;
  return {
    ...finding,
    status: 'skipped',
    reason: `after the first ${(100 * part).toFixed(0)} % of the workload: ${reason}`,
  };
}
