import type {
  Planner,
  PlannerView,
  RankPass,
  StageView,
  Targets,
  Traffic,
  WorkerCapacity,
} from '../planner.js';
import { fitOne, fitPair, type GpuBudget } from './budget.js';
import { Cadence, type Due } from './cadence.js';
import type { PlannerConfig } from './config.js';
import type { TickDiagnostics } from './diagnostics.js';
import { engineModel, type NativeTimes } from './engine-models.js';
import { predictorOf } from './forecast/predictors.js';
import { type LoadDecision, type LoadStage, scaleMixed, scaleSplit } from './load/load-scaling.js';
import type { PoolState } from './load/opinion.js';
import { joined, LastPasses, passGroups } from './observations.js';
import type { EngineModel, EngineRole } from './perf/engine-model.js';
import { sizeMixed, sizeSplit, type ThroughputDecision } from './throughput-scaling.js';
import { type Arrivals, type Forecast, TrafficForecast } from './traffic-forecast.js';

/** One pass of known duration, from which the planner may learn before the run. */
export type BootstrapPass = Omit<RankPass, 'worker' | 'rank'>;

export interface ReferencePlannerParts {
  readonly config: PlannerConfig;
  /** Capacity of a worker of each stage; of `decode` alone where workers do both phases. */
  readonly prefill: WorkerCapacity | undefined;
  readonly decode: WorkerCapacity;
  readonly nativeTimes?: NativeTimes;
  /** Traffic before the run, a window each. */
  readonly history?: readonly Arrivals[];
}

/** A stage and what the planner remembers of it. */
interface Pool {
  readonly capacity: WorkerCapacity;
  readonly model: EngineModel | undefined;
  readonly byWorker: boolean;
  readonly last: LastPasses;
  /** Workers asked for and not yet reached. */
  pending: number | undefined;
  lowerBound: number;
}

const MS_PER_SECOND = 1000;

/**
 * The planner of NVIDIA Dynamo 1.4.2: a slow loop that sizes the fleet for the traffic it foretells, and a fast one that
 * reacts to the load of workers.
 */
export class ReferencePlanner implements Planner {
  /** What happened at the last tick. */
  diagnostics: TickDiagnostics | undefined;
  /** The last traffic that was looked at. */
  observed: Traffic | undefined;
  private readonly config: PlannerConfig;
  private readonly cadence: Cadence;
  private readonly budget: GpuBudget;
  private readonly prefill: Pool | undefined;
  private readonly decode: Pool;
  private readonly forecast: TrafficForecast;
  private traffic: Traffic | undefined;
  private hitRate: number | undefined;
  private acceptLength = 1;

  constructor({
    config,
    prefill,
    decode,
    nativeTimes = () => undefined,
    history = [],
  }: ReferencePlannerParts) {
    this.config = config;
    this.cadence = new Cadence(config.intervals, {
      load: config.scalesLoad,
      throughput: config.scalesThroughput,
    });
    const { minGpus: min, maxGpus: max, minWorkers } = config;
    this.budget = { min, max, minWorkers };
    const pool = (role: EngineRole, capacity: WorkerCapacity): Pool => ({
      capacity,
      model: config.target === 'sla' ? engineModel(role, config, capacity, nativeTimes) : undefined,
      byWorker: ranksOf(config, role) > 1,
      last: new LastPasses(),
      pending: undefined,
      lowerBound: 1,
    });
    this.prefill = config.mode === 'disagg' ? pool('prefill', prefill ?? decode) : undefined;
    this.decode = pool(config.mode === 'disagg' ? 'decode' : 'aggregated', decode);
    this.forecast = new TrafficForecast(() => predictorOf(config));
    if (config.target === 'sla') this.forecast.warm(history);
  }

  get nextTickMs(): number {
    return this.cadence.nextSeconds * MS_PER_SECOND;
  }

  get reason(): string | undefined {
    const { loadReason, throughputReason } = this.diagnostics ?? {};
    return loadReason ?? throughputReason;
  }

  /** Learns from passes measured before the run; those of workers that do both phases are one list. */
  bootstrap(passes: {
    readonly prefill?: readonly BootstrapPass[];
    readonly decode: readonly BootstrapPass[];
  }): void {
    if (this.prefill) learnAll(this.prefill, passes.prefill ?? []);
    learnAll(this.decode, passes.decode);
  }

  tick(view: PlannerView): Targets | undefined {
    const due = this.cadence.due();
    const [prefillView, decodeView] = stagesOf(view);
    if (this.prefill && prefillView) this.prefill.last.update(prefillView.passes, prefillView.active);
    this.decode.last.update(decodeView.passes, decodeView.active);
    const traffic = this.takeTraffic(view.traffic, due);
    if (due.load && this.config.target === 'sla') this.tune();
    const forecast = due.predict && traffic ? this.forecast.next(traffic, this.clamped(traffic)) : undefined;
    const sizing = forecast && due.proposeThroughput ? this.size(forecast, traffic!.seconds) : undefined;
    const pools = {
      prefill: poolState(this.prefill, prefillView),
      decode: poolState(this.decode, decodeView)!,
    };
    const load = due.proposeLoad ? this.scaleLoad(pools, forecast, traffic) : undefined;
    this.cadence.advance(due, sizing !== undefined);
    const scaleTo = this.reconcile(pools, load, sizing);
    this.diagnostics = this.describe(due, forecast, sizing, load, scaleTo);
    return this.order(scaleTo, prefillView, decodeView);
  }

  /** Adds a window to those not looked at yet, and hands out all of them to whoever looks now. */
  private takeTraffic(window: Traffic, due: Due): Traffic | undefined {
    this.traffic = this.traffic ? joined(this.traffic, window) : window;
    const { target, scalesThroughput } = this.config;
    const loadLooks = due.proposeLoad && target === 'sla' && !scalesThroughput;
    if (!due.predict && !due.proposeThroughput && !loadLooks) return undefined;
    const { traffic } = this;
    this.traffic = undefined;
    if (!(traffic.seconds > 0)) return undefined;
    this.observed = traffic;
    return traffic;
  }

  /** Learns from the last pass of every rank, also where it is an old one. */
  private tune(): void {
    for (const pool of [this.prefill, this.decode]) {
      if (!pool?.model) continue;
      const passes = pool.last.all();
      for (const pass of passes) pool.model.observe(pass);
      for (const group of passGroups(passes, pool.byWorker)) pool.model.learn(group);
    }
  }

  private clamped({ acceptLength }: Traffic): number | undefined {
    return acceptLength === undefined ? undefined : this.clamp(acceptLength);
  }

  private clamp(acceptLength: number): number {
    const draftTokens = this.decode.capacity.draftTokens || this.config.draftTokens;
    return draftTokens > 0 ? Math.min(Math.max(acceptLength, 1), draftTokens + 1) : 1;
  }

  private size(forecast: Forecast, windowSeconds: number): ThroughputDecision {
    this.note(forecast);
    const demand = { forecast, windowSeconds };
    const decision = this.prefill
      ? sizeSplit(this.config, this.budget, this.prefill, this.decode, demand)
      : sizeMixed(this.config, this.budget, this.decode, demand);
    if (decision.reason === 'set_lower_bound' && decision.workers) {
      if (this.prefill) this.prefill.lowerBound = decision.workers.prefill!;
      this.decode.lowerBound = decision.workers.decode;
    }
    return decision;
  }

  private note({
    hitRate,
    acceptLength,
  }: {
    hitRate: number | undefined;
    acceptLength: number | undefined;
  }): void {
    if (hitRate !== undefined && !Number.isNaN(hitRate)) this.hitRate = hitRate;
    if (acceptLength !== undefined) this.acceptLength = this.clamp(acceptLength);
  }

  private scaleLoad(
    pools: { prefill: PoolState | undefined; decode: PoolState },
    forecast: Forecast | undefined,
    traffic: Traffic | undefined,
  ): LoadDecision {
    if (forecast) this.note(forecast);
    else if (traffic && this.config.target === 'sla' && !this.config.scalesThroughput)
      this.note({ hitRate: traffic.hitRate.value, acceptLength: traffic.acceptLength });
    const { config, budget, hitRate, acceptLength } = this;
    const context = { config, budget, hitRate, acceptLength };
    const stage = ({ capacity, model, byWorker, lowerBound }: Pool, pool: PoolState): LoadStage => ({
      pool,
      capacity,
      model,
      byWorker,
      lowerBound,
    });
    const decode = stage(this.decode, pools.decode);
    return this.prefill && pools.prefill
      ? scaleSplit(context, stage(this.prefill, pools.prefill), decode)
      : scaleMixed(context, decode);
  }

  /** The proposal that counts, within the budget; `undefined` when it is what is there. */
  private reconcile(
    pools: { prefill: PoolState | undefined; decode: PoolState },
    load: LoadDecision | undefined,
    sizing: ThroughputDecision | undefined,
  ): TickDiagnostics['scaleTo'] {
    const sized = this.config.scalesLoad ? undefined : sizing?.workers;
    const proposed = load?.targets ?? sized;
    if (!proposed) return undefined;
    const readyPrefill = pools.prefill?.ready ?? 0;
    const isSame = (prefill: number, decode: number) =>
      decode === pools.decode.ready && (!this.prefill || prefill === readyPrefill);
    const prefill = proposed.prefill ?? readyPrefill;
    if (isSame(prefill, proposed.decode)) return undefined;
    const { minWorkers } = this.budget;
    const decode = Math.max(proposed.decode, minWorkers);
    const final = this.prefill
      ? fitPair(
          { prefill: Math.max(prefill, minWorkers), decode },
          { prefill: this.prefill.capacity.gpus, decode: this.decode.capacity.gpus },
          this.budget,
        )
      : { decode: fitOne(decode, this.decode.capacity.gpus, this.budget) };
    const finalPrefill = 'prefill' in final ? final.prefill : 0;
    if (isSame(finalPrefill, final.decode)) return undefined;
    return final;
  }

  /** Remembers what was asked for until the fleet has it. */
  private order(
    scaleTo: TickDiagnostics['scaleTo'],
    prefillView: StageView | undefined,
    decodeView: StageView,
  ): Targets | undefined {
    const present = (view: StageView) => view.active.length + view.starting.length;
    const pools: [Pool | undefined, StageView | undefined, number | undefined][] = [
      [this.prefill, prefillView, scaleTo?.prefill],
      [this.decode, decodeView, scaleTo?.decode],
    ];
    let isChange = false;
    for (const [pool, view, target] of pools) {
      if (!pool || !view) continue;
      if (pool.pending === present(view)) pool.pending = undefined;
      if (target === undefined || target === present(view)) continue;
      pool.pending = target;
      isChange = true;
    }
    if (!scaleTo || !isChange) return undefined;
    return this.prefill ? { prefill: scaleTo.prefill!, decode: scaleTo.decode } : { agg: scaleTo.decode };
  }

  private describe(
    due: Due,
    forecast: Forecast | undefined,
    sizing: ThroughputDecision | undefined,
    load: LoadDecision | undefined,
    scaleTo: TickDiagnostics['scaleTo'],
  ): TickDiagnostics {
    const isDisabled = due.load && !this.config.scalesLoad;
    return {
      isRecorded: due.load || due.throughput || scaleTo !== undefined,
      estimatedTtftMs: load?.ttftMs,
      estimatedItlMs: load?.itlMs,
      predictedRequests: forecast?.requests,
      predictedInputTokens: forecast?.inputTokens,
      predictedOutputTokens: forecast?.outputTokens,
      predictedHitRate: forecast?.hitRate,
      prefillRps: sizing?.prefillRps,
      decodeRps: sizing?.decodeRps,
      prefillLowerBound: this.prefill?.lowerBound ?? 1,
      decodeLowerBound: this.decode.lowerBound,
      loadReason: isDisabled ? 'disabled' : load?.reason,
      loadReasonPrefill: load?.prefillReason,
      loadReasonDecode: load?.decodeReason,
      throughputReason: sizing?.reason,
      throughputReasonPrefill: sizing?.prefillReason,
      throughputReasonDecode: sizing?.decodeReason,
      scaleTo,
    };
  }
}

function stagesOf(view: PlannerView): [prefill: StageView | undefined, decode: StageView] {
  const [first, second] = view.stages;
  return second ? [first, second] : [undefined, first];
}

function poolState(pool: Pool, view: StageView): PoolState;
function poolState(pool: Pool | undefined, view: StageView | undefined): PoolState | undefined;
function poolState(pool: Pool | undefined, view: StageView | undefined): PoolState | undefined {
  if (!pool || !view) return undefined;
  const ready = view.active.length;
  const present = ready + view.starting.length;
  const expected = pool.pending ?? present;
  const isUnsettled = pool.pending !== undefined && pool.pending !== present;
  return { ready, inProgress: isUnsettled || expected !== ready, passes: pool.last.all() };
}

/** Ranks whose passes the tables of a configuration take together. */
function ranksOf({ perfModel }: PlannerConfig, role: EngineRole): number {
  const pick = role === 'prefill' ? perfModel?.prefillPick : perfModel?.decodePick;
  return pick?.data ?? 1;
}

/** Passes measured one by one say nothing about ranks that work together. */
function learnAll({ model, byWorker }: Pool, passes: readonly BootstrapPass[]): void {
  if (!model) return;
  const alone = passes.map((pass) => ({ ...pass, worker: 0, rank: 0 }));
  for (const pass of alone) model.observe(pass);
  if (!byWorker) for (const pass of alone) model.learn([pass]);
}
