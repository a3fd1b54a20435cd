import { InputError } from '../../config/input-error.js';
import { readScenario } from '../../setup/scenario.js';
import { AicError } from '../../timing/aic/aic-error.js';
import { Shelf } from '../../workload/shelf.js';
import type { Metrics } from '../job.js';
import { ranked } from '../search/sampler.js';
import { type Candidate, candidateOf, withLoad } from './candidate.js';
import { estimate } from './formula.js';
import { type Goal, judge } from './goals.js';
import { type Shape, shapeOf } from './shape.js';
import type { Point } from './space.js';
import type { LoadQuestion, StudySpec } from './spec.js';
import { type Finding, valuesOf } from './trials.js';

const HALVINGS = 20;

/** Judges candidates by formula, in microseconds each. */
export class Formulas {
  private readonly shelf = new Shelf();
  private readonly shapes = new Map<string, Shape>();

  /** Those that a formula has an idea of. */
  private readonly goals: readonly Goal[];

  constructor(private readonly spec: StudySpec) {
    this.goals = spec.goals.filter(({ name }) => !/attainment|goodput/.test(name));
  }

  /** Candidates from best to worst by formula; those that cannot be run are last. */
  async order(points: Iterable<Point>): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const point of points) findings.push(await this.find(candidateOf(this.spec, point)));
    const byPoint = new Map(findings.map((finding) => [finding.candidate.point, finding]));
    const runnable = findings.filter(({ objectives }) => objectives.length > 0);
    const order = ranked(
      runnable.map(({ candidate, objectives, violation }) => ({
        point: candidate.point,
        values: objectives,
        violation,
      })),
    );
    const best = order.map(({ point }) => byPoint.get(point)!);
    return [...best, ...findings.filter(({ objectives }) => objectives.length === 0)];
  }

  /** What a formula says of a candidate, at the highest load that keeps the goals where that is asked. */
  async find(candidate: Candidate): Promise<Finding> {
    const { spec } = this;
    try {
      if (candidate.problem !== undefined) throw new InputError(candidate.problem);
      const { metrics, load } = await this.metricsOf(candidate);
      const { violation, reason } = judge(this.goals, metrics);
      return {
        ...{ candidate, metrics, violation, gpus: candidate.gpus, job: undefined, isEstimate: true },
        ...valuesOf(spec, candidate, metrics, candidate.gpus),
        status: 'skipped',
        reason: reason === '' ? 'others are better by formula' : `by formula: ${reason}`,
        ...(load !== undefined && { load }),
      };
    } catch (error) {
      if (!(error instanceof InputError || error instanceof AicError)) throw error;
      return {
        ...{ candidate, metrics: {}, violation: Number.POSITIVE_INFINITY, gpus: candidate.gpus },
        ...{ job: undefined, isEstimate: true, values: [], objectives: [] },
        status: 'unsupported',
        reason: error.message.replace(/^candidate: /, ''),
      };
    }
  }

  private async metricsOf(candidate: Candidate): Promise<{ metrics: Metrics; load?: number }> {
    const { load } = this.spec;
    const at = async (settings: Candidate['settings']) => {
      const scenario = readScenario(settings, 'candidate');
      const { workload, stages } = scenario;
      // Everything else about a candidate leaves the workload as it is.
      const key = JSON.stringify([
        { ...workload, replayConcurrency: 0, requestRate: 0, arrivalSeed: 0 },
        workload.isSynthetic && stages[0].engine.blockTokens,
      ]);
      let shape = this.shapes.get(key);
      if (!shape) {
        shape = await shapeOf(scenario, this.shelf);
        this.shapes.set(key, shape);
      }
      return estimate(scenario, shape, this.shelf);
    };
    if (!load) return { metrics: await at(candidate.settings) };
    const settings = (value: number) => withLoad(candidate.settings, load.setting, value);
    const highest = await highestByFormula(load, async (value) => {
      const metrics = await at(settings(value));
      return judge(this.goals, metrics).violation === 0;
    });
    return { metrics: await at(settings(highest)), load: highest };
  }
}

async function highestByFormula(
  { setting, min, max }: LoadQuestion,
  keeps: (value: number) => Promise<boolean>,
): Promise<number> {
  const isWhole = setting === 'replay_concurrency';
  let [low, high] = [min, max];
  if (await keeps(max)) return max;
  for (let halving = 0; halving < HALVINGS && high / low > 1.02; halving++) {
    const middle = isWhole ? Math.round(Math.sqrt(low * high)) : Math.sqrt(low * high);
    if (middle === low || middle === high) break;
    if (await keeps(middle)) low = middle;
    else high = middle;
  }
  return low;
}
