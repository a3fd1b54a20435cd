import {
  type Capacity,
  type Climb,
  type Congestion,
  congestion,
  passageOf,
  steepestClimb,
} from './congestion.js';
import type { FlowRequest } from './flow.js';
import { counted, duration, percent, span } from './words.js';

/** How a fleet coped with its load. */
export interface Verdict {
  state: 'idle' | 'stable' | 'backlogged' | 'overloaded';
  /** The stage that is overloaded, in fleets with stages. */
  stage?: 'prefill' | 'decode';
  /** Arrivals of the stretch in which most piled up, first and last; milliseconds of simulated time. */
  window_ms?: [number, number];
  /** Offered over served in that stretch, less one. */
  excess?: number;
  evidence: string[];
}

/** What a verdict is found in. Times in milliseconds. */
export interface Course {
  /** Requests by arrival, and how many each stands for. */
  requests: readonly FlowRequest[];
  weight: number;
  hasStages: boolean;
  /** Whether requests arrive without regard to those in flight; a closed loop is never overloaded. */
  isOpenLoop: boolean;
  unfinished: number;
  /** What is to be said of the goals, where there are some. */
  goals: string | undefined;
  rejected: number;
  /** Time in passes over time, by stage. */
  busy: readonly { stage: string; share: number }[];
  endMs: number;
}

/** Part of the latency in queues from which on a fleet is backlogged: of all requests, or of the worst stretch of them. */
const BACKLOG = 0.2;
const WORST_BACKLOG = 0.5;
/** Part of all requests that a stretch is made of, and how many it has at least. */
const STRETCH = 0.02;
const LEAST_STRETCH = 20;
/** Of requests, the part that hardly had to share its workers. */
const QUICKEST = 0.05;

/** Judges a run. @param capacity what the fleet can serve, where that was measured */
export function verdictOf(course: Course, capacity?: Capacity): Verdict {
  const { requests, unfinished, rejected } = course;
  if (requests.length === 0)
    return { state: 'idle', evidence: [rejected > 0 ? 'every request was rejected' : 'no request came'] };
  const waits = waitingShares(requests);
  const goals = course.goals === undefined ? [] : [course.goals];
  const evidence: string[] = [];
  for (const { stage, share } of course.busy)
    evidence.push(`${stage === '' ? '' : `${stage} `}workers busy ${percent(share)} of the time`);
  evidence.push(`requests spend ${percent(waits.overall)} of their latency waiting`);
  if (unfinished > 0)
    evidence.push(
      `${counted(unfinished, 'request was', 'requests were')} unfinished at the end, and not all that they will wait is known`,
    );
  const worst = worstStage(course, capacity);
  if (worst?.found.isOverload) return overloaded(worst, goals, evidence);
  if (waits.overall < BACKLOG && waits.worst < WORST_BACKLOG)
    return { state: 'stable', evidence: [...goals, ...evidence] };
  evidence.unshift(
    waits.overall < BACKLOG
      ? `at the worst time ${percent(waits.worst)} of the latency was waiting`
      : course.isOpenLoop
        ? 'queues form but do not keep growing'
        : 'more is in flight than is served at once',
  );
  return { state: 'backlogged', evidence: [...goals, ...evidence] };
}

type Stage = 'prefill' | 'decode';
type Worst = { stage: Stage | undefined; found: Congestion };

/** Where the delay of a stage climbs most, of all stages. */
export function worstClimb({ requests, hasStages, endMs }: Course): Climb | undefined {
  let worst: Climb | undefined;
  for (const stage of hasStages ? (['prefill', 'decode'] as const) : ([''] as const)) {
    const climb = steepestClimb(passageOf(requests, stage, endMs));
    if (climb && !(worst && worst.growthMs >= climb.growthMs)) worst = climb;
  }
  return worst;
}

/** The stage in which most piled up. */
function worstStage(course: Course, capacity?: Capacity): Worst | undefined {
  const { requests, weight, hasStages, endMs, isOpenLoop } = course;
  if (!isOpenLoop) return undefined;
  const serviceMs = capacity?.serviceMs ?? quickService(requests);
  const starts = Float64Array.from(
    requests.filter(({ isFirstTurn }) => isFirstTurn),
    ({ comingMs }) => comingMs,
  );
  let worst: Worst | undefined;
  for (const stage of hasStages ? (['prefill', 'decode'] as const) : ([undefined] as const)) {
    const passage = passageOf(requests, stage ?? '', endMs);
    const found = congestion(passage, starts, weight, serviceMs, capacity);
    if (found && !(worst && worst.found.growthMs >= found.growthMs)) worst = { stage, found };
  }
  return worst;
}

function overloaded({ stage, found }: Worst, goals: readonly string[], evidence: readonly string[]): Verdict {
  const { fromMs, toMs, excess, growthMs } = found;
  const whose = stage === undefined ? 'the workers' : `the ${stage} workers`;
  return {
    state: 'overloaded',
    ...(stage && { stage }),
    window_ms: [fromMs, toMs],
    excess,
    evidence: [
      ...goals,
      `${span(fromMs, toMs)} ${percent(excess)} more came than ${whose} could take`,
      `latency grew by ${duration(growthMs)} meanwhile`,
      ...evidence,
    ],
  };
}

/** What a request takes that shares its worker with few, as far as a run shows it. */
function quickService(requests: readonly FlowRequest[]): number {
  const services = new Float64Array(requests.length);
  let ended = 0;
  for (const { comingMs, goneMs, waitMs } of requests)
    if (!Number.isNaN(goneMs)) services[ended++] = goneMs - comingMs - waitMs;
  const sorted = services.subarray(0, ended).sort();
  return ended === 0 ? 0 : sorted[Math.floor(QUICKEST * (ended - 1))];
}

/** Part of the latency that is waiting: of all requests, and of the worst stretch of consecutive arrivals. */
function waitingShares(requests: readonly FlowRequest[]): { overall: number; worst: number } {
  const ended = requests.filter(({ goneMs }) => !Number.isNaN(goneMs));
  const length = Math.max(Math.min(LEAST_STRETCH, ended.length), Math.ceil(STRETCH * ended.length));
  const totals = { waitMs: 0, latencyMs: 0 };
  const stretch = { waitMs: 0, latencyMs: 0 };
  let worst = 0;
  for (const [index, { comingMs, goneMs, waitMs }] of ended.entries()) {
    totals.waitMs += waitMs;
    totals.latencyMs += goneMs - comingMs;
    stretch.waitMs += waitMs;
    stretch.latencyMs += goneMs - comingMs;
    const left = ended[index - length];
    if (left) {
      stretch.waitMs -= left.waitMs;
      stretch.latencyMs -= left.goneMs - left.comingMs;
    }
    if (index >= length - 1 && stretch.latencyMs > 0)
      worst = Math.max(worst, stretch.waitMs / stretch.latencyMs);
  }
  return { overall: totals.latencyMs > 0 ? totals.waitMs / totals.latencyMs : 0, worst };
}
