import type { Planner, PlannerView, StageName, StageView, Targets } from '../planner.js';
import { type Bounds, within } from './bounds.js';

/** Settings of a Kubernetes HorizontalPodAutoscaler (autoscaling/v2), its usual behaviour as defaults. */
export interface HorizontalSettings extends Bounds {
  /** Of the metric, by worker. */
  readonly target: number;
  readonly intervalMs: number;
  /** Part of the target by which the metric may miss it without consequence. */
  readonly tolerance: number;
  /** How long a lower recommendation must have held before it counts. */
  readonly downWindowMs: number;
}

interface Recommendation {
  readonly atMs: number;
  readonly workers: number;
}

/** What may be added at once, whichever is more: so many workers, or so many times those that are there. */
const MOST_ADDED = 4;
const MOST_GROWTH = 2;
/** Sums come out of division and multiplication. */
const ROUNDING = 1e-9;

/**
 * The rule of Kubernetes for a metric of type AverageValue: as many workers as bring the average to its target, where it misses
 * it by more than the tolerance; up at once, down to the most that was recommended within the window.
 */
export class HorizontalAutoscaler implements Planner {
  nextTickMs: number;
  reason: string | undefined;
  private readonly recommended = new Map<StageName, Recommendation[]>();

  /** @param metric of a stage as a whole */
  constructor(
    private readonly settings: HorizontalSettings,
    private readonly metric: (stage: StageView) => number,
  ) {
    this.nextTickMs = settings.intervalMs;
  }

  tick({ nowMs, stages }: PlannerView): Targets {
    this.nextTickMs = nowMs + this.settings.intervalMs;
    const targets: { [stage in StageName]?: number } = {};
    const reasons: string[] = [];
    for (const stage of stages) {
      const workers = stage.active.length + stage.starting.length;
      const value = this.metric(stage);
      const target = this.stabilised(stage.name, nowMs, this.wanted(value, workers), workers);
      targets[stage.name] = target;
      if (target !== workers) reasons.push(`${stage.name}: ${round(value / Math.max(1, workers))} by worker`);
    }
    this.reason = reasons.length > 0 ? reasons.join(', ') : undefined;
    return targets;
  }

  private wanted(value: number, workers: number): number {
    const { target, tolerance } = this.settings;
    const ratio = value / (target * Math.max(1, workers));
    const isNear = Math.abs(ratio - 1) <= tolerance + ROUNDING;
    return within(isNear ? workers : Math.ceil(value / target - ROUNDING), this.settings);
  }

  private stabilised(name: StageName, nowMs: number, wanted: number, workers: number): number {
    const { downWindowMs } = this.settings;
    const before = this.recommended.get(name) ?? [{ atMs: 0, workers }];
    const kept = before.filter(({ atMs }) => atMs > nowMs - downWindowMs);
    kept.push({ atMs: nowMs, workers: wanted });
    this.recommended.set(name, kept);
    if (wanted > workers) return Math.min(wanted, Math.max(workers + MOST_ADDED, workers * MOST_GROWTH));
    const most = Math.max(...kept.map(({ workers }) => workers));
    return within(Math.min(workers, most), this.settings);
  }
}

const round = (value: number) => Math.round(value * 100) / 100;
