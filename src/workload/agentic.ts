import { InputError } from '../config/input-error.js';
import type { RowDependency } from './mooncake-row.js';
import { PromptTokens } from './prompt-tokens.js';
import { ReadyHeap } from './ready-heap.js';
import type { EndedDraft, RequestDraft, RequestSource } from './source.js';

/** One request of a dependency graph. Hash ids as 64-bit halves; times in milliseconds. */
export interface AgenticRequest {
  id: string;
  sessionName: string | null;
  inputTokens: number;
  outputTokens: number;
  hashLow: Uint32Array;
  hashHigh: Uint32Array;
  plannedOutput: Uint32Array | undefined;
  /** When it starts, or may start at the earliest; NaN where nothing is said. */
  timestampMs: number;
  /** What must have happened first; repeats allowed. Without, it starts at its time. */
  dependencies: readonly RowDependency[];
  /** Whether its time counts beside its dependencies. */
  waitsForTime: boolean;
  priority: number;
  strictPriority: number;
  policyClass: string | undefined;
}

/** How fast requests come: times divided by a number, or at most so many in flight, whatever their timestamps. */
interface Pace {
  arrivalSpeedup: number;
  /** undefined in open loop. */
  concurrency: number | undefined;
}

/** A request that waits for another, and the wait after what it waits for. */
interface Edge {
  index: number;
  delayMs: number;
}

/**
 * A graph of requests: each starts when those that it depends on have started or ended, and some time after, or at its
 * timestamp when it has no dependencies.
 */
export class AgenticSource implements RequestSource {
  readonly total: number;
  readonly hasTokens: boolean;
  readonly hasFeedback = true;
  readonly isGraph = true;
  private readonly onDispatch: Edge[][];
  private readonly onEnd: Edge[][];
  private readonly missing: Int32Array;
  /** When each request may start by what has happened so far. */
  private readonly earliestMs: Float64Array;
  private readonly ready = new ReadyHeap();
  private readonly prompts: PromptTokens | undefined;
  private remaining: number;
  private inFlight = 0;

  /** @param name the trace, for messages @throws {InputError} for unknown, own or circular dependencies */
  constructor(
    private readonly requests: AgenticRequest[],
    readonly hashBlockTokens: number,
    private readonly pace: Pace,
    name: string,
  ) {
    this.total = requests.length;
    this.remaining = requests.length;
    this.missing = new Int32Array(requests.length);
    this.earliestMs = new Float64Array(requests.length);
    this.onDispatch = requests.map(() => []);
    this.onEnd = requests.map(() => []);
    this.hasTokens = requests.some((request) => request.plannedOutput !== undefined);
    this.link(name);
    this.start();
    if (this.hasTokens) this.prompts = this.buildPrompts();
  }

  private link(name: string): void {
    const indexOf = new Map(this.requests.map((request, index) => [request.id, index]));
    const waits: number[][] = this.requests.map((request, index) => {
      const unique = new Map<string, number>();
      for (const { requestId, onDispatch, delayMs } of request.dependencies) {
        const dependency = indexOf.get(requestId);
        if (dependency === undefined)
          throw new InputError(
            `${name}: request ${request.id}: waits for the unknown request ${JSON.stringify(requestId)}`,
          );
        if (dependency === index)
          throw new InputError(`${name}: request ${request.id}: waits for the request itself`);
        const key = `${dependency} ${onDispatch}`;
        const edges = (onDispatch ? this.onDispatch : this.onEnd)[dependency];
        const known = unique.get(key);
        if (known === undefined) edges.push({ index, delayMs });
        else edges[edges.length - 1].delayMs = Math.max(known, delayMs);
        unique.set(key, Math.max(known ?? 0, delayMs));
      }
      this.missing[index] = unique.size;
      return [...new Set([...unique.keys()].map((key) => Number(key.split(' ')[0])))];
    });
    const cycle = findCycle(waits);
    if (cycle !== undefined)
      throw new InputError(
        `${name}: request ${this.requests[cycle].id}: what it waits for leads in a cycle back to it`,
      );
  }

  private start(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const { timestampMs } of this.requests) if (timestampMs < first) first = timestampMs;
    this.requests.forEach(({ timestampMs, waitsForTime }, index) => {
      const isAtOnce = Number.isNaN(timestampMs) || this.pace.concurrency !== undefined;
      const startMs = isAtOnce ? 0 : (timestampMs - first) / this.pace.arrivalSpeedup;
      if (this.missing[index] === 0) this.ready.push(startMs, index, index, 0);
      else if (waitsForTime) this.earliestMs[index] = startMs;
    });
  }

  private buildPrompts(): PromptTokens {
    const prompts = new PromptTokens(this.hashBlockTokens, false);
    let word = 0;
    this.requests.forEach((request, index) => {
      prompts.intern(request.hashLow, request.hashHigh, 0, request.hashLow.length);
      prompts.plan(index, request.plannedOutput, word);
      if (!request.plannedOutput) word += request.outputTokens;
    });
    return prompts;
  }

  nextReadyMs(): number {
    const { concurrency } = this.pace;
    return concurrency !== undefined && this.inFlight >= concurrency
      ? Number.POSITIVE_INFINITY
      : this.ready.timeMs;
  }

  take(nowMs: number, draft: RequestDraft): boolean {
    if (this.nextReadyMs() > nowMs || this.ready.size === 0) return false;
    this.inFlight++;
    draft.row = this.ready.row;
    draft.session = draft.row;
    draft.turn = 0;
    draft.arrivalMs = this.pace.concurrency === undefined ? this.ready.timeMs : nowMs;
    this.ready.pop();
    this.release(this.onDispatch[draft.row], draft.arrivalMs);
    const request = this.requests[draft.row];
    draft.inputTokens = request.inputTokens;
    draft.outputTokens = request.outputTokens;
    const needed = Math.ceil(request.inputTokens / this.hashBlockTokens);
    if (this.prompts) this.prompts.fill(draft, request.hashLow, request.hashHigh, 0, needed);
    else {
      draft.reserveHashes(needed);
      draft.hashCount = needed;
      draft.hashLow.set(request.hashLow.subarray(0, needed));
      draft.hashHigh.set(request.hashHigh.subarray(0, needed));
    }
    draft.priority = request.priority;
    draft.strictPriority = request.strictPriority;
    draft.policyClass = request.policyClass;
    return true;
  }

  ended({ row, nowMs }: EndedDraft): void {
    this.remaining--;
    this.inFlight--;
    this.release(this.onEnd[row], nowMs);
  }

  /** What requests wait for has happened. */
  private release(edges: readonly Edge[], nowMs: number): void {
    const { earliestMs, missing, pace } = this;
    for (const { index, delayMs } of edges) {
      const delay = delayMs / (pace.concurrency === undefined ? pace.arrivalSpeedup : 1);
      earliestMs[index] = Math.max(earliestMs[index], nowMs + delay);
      if (--missing[index] === 0) this.ready.push(earliestMs[index], index, index, 0);
    }
  }

  isDrained(): boolean {
    return this.remaining === 0;
  }

  sessionName(session: number): string | null {
    return this.requests[session].sessionName;
  }
}

/** The first request met again while its own dependencies are being followed; undefined without a cycle. */
function findCycle(waits: number[][]): number | undefined {
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(waits.length);
  for (let root = 0; root < waits.length; root++) {
    if (state[root] !== 0) continue;
    const path: { request: number; next: number }[] = [{ request: root, next: 0 }];
    state[root] = OPEN;
    while (path.length > 0) {
      const top = path[path.length - 1];
      const dependency = waits[top.request][top.next++];
      if (dependency === undefined) {
        state[top.request] = DONE;
        path.pop();
      } else if (state[dependency] === OPEN) return dependency;
      else if (state[dependency] === 0) {
        state[dependency] = OPEN;
        path.push({ request: dependency, next: 0 });
      }
    }
  }
  return undefined;
}
