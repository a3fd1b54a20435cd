import { type JsonObject, jsonText } from '../../config/json.js';
import type { Share } from '../../workload/excerpt.js';
import type { Evaluator, Job, Metrics, Outcome } from '../job.js';
import { jobKey } from '../job-key.js';
import { type Candidate, candidateOf, withLoad } from './candidate.js';
import { judge, meanBounds } from './goals.js';
import type { Entry } from './ledger.js';
import { highestLoad } from './load.js';
import { averageGpus, METRICS } from './metrics.js';
import { type Point, pointKey } from './space.js';
import type { Prices, StudySpec } from './spec.js';

/** What happens while candidates are measured. */
export interface TrialHooks {
  /** A simulation has ended. */
  onRun?: (() => void) | undefined;
  onEntry?: ((entry: Entry) => void) | undefined;
}

/** What is known of a candidate after it was measured, without its place in the order. */
export type Finding = Omit<Entry, 'id'>;

/** Measures candidates: each once, whatever asks for it, and runs that are the same run once. */
export class Trials {
  /** In order of evaluation. */
  readonly entries: Entry[] = [];
  private readonly byPoint = new Map<string, Entry>();
  private readonly runs = new Map<string, Promise<Outcome>>();
  private readonly wholePart: Share | undefined;

  constructor(
    readonly spec: StudySpec,
    private readonly evaluator: Evaluator,
    private readonly hooks: TrialHooks = {},
    /** The load to begin with, for a candidate. */
    private readonly guess: (candidate: Candidate) => number | undefined = () => undefined,
  ) {
    const { heldOut } = spec.windows;
    this.wholePart = heldOut > 0 ? { from: 0, to: 1 - heldOut } : undefined;
  }

  /** Whether a point has its entry. */
  has(point: Point): boolean {
    return this.byPoint.has(pointKey(point));
  }

  /** Measures points on the whole workload; their entries are in the order of the points. */
  async measure(points: readonly Point[]): Promise<Entry[]> {
    const fresh = points.filter((point) => !this.has(point));
    const findings = await Promise.all(
      fresh.map((point) => this.find(candidateOf(this.spec, point), this.wholePart)),
    );
    for (const finding of findings) this.note(finding);
    return points.map((point) => this.byPoint.get(pointKey(point))!);
  }

  /** Enters what was found by other means. */
  note(finding: Finding): Entry {
    const entry: Entry = { id: this.entries.length + 1, ...finding };
    this.entries.push(entry);
    this.byPoint.set(pointKey(entry.candidate.point), entry);
    this.hooks.onEntry?.(entry);
    return entry;
  }

  /** Measures a candidate on a part of the workload, which is no entry. */
  async find(candidate: Candidate, part: Share | undefined): Promise<Finding> {
    const { load } = this.spec;
    if (candidate.problem !== undefined) return unmeasured(candidate, candidate.problem);
    if (!load) return this.findingOf(candidate, this.jobOf(candidate.settings, part));
    const at = (value: number) => this.jobOf(withLoad(candidate.settings, load.setting, value), part);
    const highest = await highestLoad(load, this.guess(candidate), async (value) => {
      const { status } = await this.findingOf(candidate, at(value));
      return status === 'feasible';
    });
    const finding = await this.findingOf(candidate, at(highest ?? load.min));
    return highest === undefined ? finding : { ...finding, load: highest };
  }

  private jobOf(settings: JsonObject, part: Share | undefined): Job {
    const { goals, optimizer } = this.spec;
    return {
      settings: jsonText(settings),
      part,
      bounds: optimizer.stopsHopeless ? meanBounds(goals) : undefined,
    };
  }

  /** Runs a candidate as it is in another job of its. */
  async findingOf(candidate: Candidate, job: Job): Promise<Finding> {
    const outcome = await this.outcomeOf(job);
    if ('failure' in outcome) {
      const status = outcome.isInput ? 'unsupported' : 'failed';
      return { ...unmeasured(candidate, outcome.failure.replace(/^candidate: /, '')), status, job };
    }
    const { metrics, stopped } = outcome;
    const { violation, reason } = judge(this.spec.goals, metrics);
    const gpus = candidate.settings.has('planner_config') ? averageGpus(metrics) : candidate.gpus;
    const { values, objectives } = valuesOf(this.spec, candidate, metrics, gpus);
    const isMissed = violation > 0 || stopped !== undefined;
    return {
      ...{ candidate, metrics, gpus, values, objectives, job },
      status: stopped !== undefined ? 'stopped' : isMissed ? 'infeasible' : 'feasible',
      reason: stopped === undefined ? reason : `given up: ${stopped}`,
      violation: stopped !== undefined ? Math.max(violation, 1) : violation,
      isEstimate: false,
    };
  }

  private outcomeOf(job: Job): Promise<Outcome> {
    const key = jobKey(job);
    let run = this.runs.get(key);
    if (!run) {
      run = this.evaluator.run(job).then((outcome) => {
        this.hooks.onRun?.();
        return outcome;
      });
      this.runs.set(key, run);
    }
    return run;
  }
}

function unmeasured(candidate: Candidate, reason: string): Finding {
  return {
    ...{ candidate, reason },
    status: 'unsupported',
    metrics: {},
    gpus: candidate.gpus,
    values: [],
    objectives: [],
    violation: Number.POSITIVE_INFINITY,
    job: undefined,
    isEstimate: false,
  };
}

/** The targets of a run, in their units and with more being better. */
export function valuesOf(
  { targets, prices }: Pick<StudySpec, 'targets' | 'prices'>,
  candidate: Candidate,
  metrics: Metrics,
  gpus: number,
): Pick<Entry, 'values' | 'objectives'> {
  const measured = { metrics, gpus, gpuHourPrice: priceOf(prices, candidate) };
  const values = targets.map((name) => METRICS[name].value(measured));
  return { values, objectives: values.map((value, at) => value * METRICS[targets[at]].direction) };
}

function priceOf(prices: Prices, { gpu }: Candidate): number {
  if (typeof prices === 'number') return prices;
  return prices.get(gpu ?? '') ?? 0;
}
