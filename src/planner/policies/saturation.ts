import type { Planner, PlannerView, StageName, StageView, Targets, WorkerLoad } from '../planner.js';
import { type Bounds, within } from './bounds.js';

export interface SaturationSettings extends Bounds {
  readonly intervalMs: number;
  /** A worker is saturated from this part of its KV cache, or from so many waiting requests. */
  readonly kvThreshold: number;
  readonly queueThreshold: number;
  /** Where the workers that are not saturated have less to spare on average, one more is started. */
  readonly kvSpare: number;
  readonly queueSpare: number;
}

/**
 * Keeps room on the workers that are not saturated, as saturation-based autoscalers of inference do: one more worker when the
 * average room falls below what is to be spare, one less when that much would be left if one fewer carried the same. Waits
 * while workers start.
 */
export class SaturationAutoscaler implements Planner {
  nextTickMs: number;
  reason: string | undefined;

  constructor(private readonly settings: SaturationSettings) {
    this.nextTickMs = settings.intervalMs;
  }

  tick({ nowMs, stages }: PlannerView): Targets {
    this.nextTickMs = nowMs + this.settings.intervalMs;
    this.reason = undefined;
    const targets: { [stage in StageName]?: number } = {};
    for (const stage of stages) {
      const workers = stage.active.length + stage.starting.length;
      const change = stage.starting.length > 0 ? 0 : this.change(stage);
      targets[stage.name] = within(workers + change, this.settings);
      if (change !== 0) this.reason = `${stage.name}: ${change > 0 ? 'little' : 'much'} room`;
    }
    return targets;
  }

  private change({ loads }: StageView): number {
    const { kvThreshold, queueThreshold, kvSpare, queueSpare } = this.settings;
    const open = loads.filter(
      ({ kvUse, waitingRequests }) => kvUse < kvThreshold && waitingRequests < queueThreshold,
    );
    if (open.length === 0) return 1;
    const kvUse = sumOf(open, ({ kvUse }) => kvUse);
    const waiting = sumOf(open, ({ waitingRequests }) => waitingRequests);
    const isTight = (count: number) =>
      kvThreshold - kvUse / count < kvSpare || queueThreshold - waiting / count < queueSpare;
    if (isTight(open.length)) return 1;
    return open.length > 1 && open.length === loads.length && !isTight(open.length - 1) ? -1 : 0;
  }
}

function sumOf(loads: readonly WorkerLoad[], quantity: (load: WorkerLoad) => number): number {
  return loads.reduce((sum, load) => sum + quantity(load), 0);
}
