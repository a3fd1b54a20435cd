import { InputError } from '../config/input-error.js';
import { MooncakeRow } from './mooncake-row.js';
import { PromptTokens } from './prompt-tokens.js';
import { ReadyHeap } from './ready-heap.js';
import type { EndedDraft, RequestDraft, RequestSource } from './source.js';
import type { TextFile } from './text-file.js';

/** One request of a dependency graph. Hash ids as 64-bit halves; times in milliseconds. */
export interface AgenticRequest {
  id: string;
  sessionName: string | null;
  inputTokens: number;
  outputTokens: number;
  hashLow: Uint32Array;
  hashHigh: Uint32Array;
  plannedOutput: Uint32Array | undefined;
  timestampMs: number;
  /** Wait after the last dependency has ended. */
  delayMs: number;
  /** Ids of requests that must end first; repeats allowed. */
  waitFor: string[];
  priority: number;
  strictPriority: number;
  policyClass: string | undefined;
}

/** Reads `agentic_mooncake` rows. @throws {InputError} for the first bad row */
export function readAgenticRows(file: TextFile, hashBlockTokens: number): AgenticRequest[] {
  const row = new MooncakeRow(true);
  const requests: AgenticRequest[] = [];
  const ids = new Set<string>();
  for (let line = 1; file.next(); line++) {
    if (file.isBlank()) continue;
    row.read(file, line);
    const request = toRequest(row, hashBlockTokens, ids, (problem) => {
      throw new InputError(`${file.path}:${line}: ${problem}`);
    });
    ids.add(request.id);
    requests.push(request);
  }
  if (requests.length === 0) throw new InputError(`${file.path}: the trace holds no request`);
  return requests;
}

function toRequest(
  row: MooncakeRow,
  hashBlockTokens: number,
  ids: Set<string>,
  fail: (problem: string) => never,
): AgenticRequest {
  const { requestId } = row;
  if (requestId === undefined) return fail('request_id: missing');
  if (requestId.trim() === '') fail('request_id: must not be blank');
  if (ids.has(requestId)) fail(`request_id: ${JSON.stringify(requestId)} is given to an earlier row already`);
  if (row.hashCount < 0) fail('hash_ids: missing');
  const capacity = row.hashCount * hashBlockTokens;
  const inputTokens = row.inputTokens ?? capacity;
  if (inputTokens > capacity)
    fail(
      `input_length: ${inputTokens} is more than the ${capacity} tokens of ${row.hashCount} hash_ids (block size ${hashBlockTokens})`,
    );
  if (row.outputTokens === undefined) return fail('output_length: missing');
  if (row.plannedOutput && row.plannedOutput.length !== row.outputTokens)
    fail(`output_length: ${row.outputTokens} does not match ${row.plannedOutput.length} output_token_ids`);
  const delayMs = (row.delayMs ?? 0) + row.toolWaitMs;
  if (!(delayMs >= 0 && Number.isFinite(delayMs)))
    fail(`delay: with tool_wait_ms must be finite and not negative, found ${delayMs}`);
  const timestampMs = row.timestampMs ?? 0;
  if (timestampMs < 0) fail(`timestamp: must be finite and not negative, found ${timestampMs}`);
  return {
    id: requestId,
    sessionName: row.sessionId ?? null,
    inputTokens,
    outputTokens: row.outputTokens,
    hashLow: row.hashLow.slice(0, row.hashCount),
    hashHigh: row.hashHigh.slice(0, row.hashCount),
    plannedOutput: row.plannedOutput && Uint32Array.from(row.plannedOutput),
    timestampMs: row.timestampMs ?? Number.NaN,
    delayMs,
    waitFor: row.waitFor,
    priority: row.priority,
    strictPriority: row.strictPriority,
    policyClass: row.policyClass,
  };
}

/** How fast requests come: times divided by a number, or at most so many in flight, whatever their timestamps. */
interface Pace {
  arrivalSpeedup: number;
  /** undefined in open loop. */
  concurrency: number | undefined;
}

/** A graph of requests: each starts when its dependencies have ended, or at its timestamp when it has none. */
export class AgenticSource implements RequestSource {
  readonly total: number;
  readonly hasTokens: boolean;
  readonly hasFeedback = true;
  readonly isGraph = true;
  private readonly dependents: number[][];
  private readonly missing: Int32Array;
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
    this.dependents = requests.map(() => []);
    this.hasTokens = requests.some((request) => request.plannedOutput !== undefined);
    this.link(name);
    this.start();
    if (this.hasTokens) this.prompts = this.buildPrompts();
  }

  private link(name: string): void {
    const indexOf = new Map(this.requests.map((request, index) => [request.id, index]));
    const waits: number[][] = this.requests.map((request, index) => {
      const unique = new Set<number>();
      for (const id of request.waitFor) {
        const dependency = indexOf.get(id);
        if (dependency === undefined)
          throw new InputError(
            `${name}: request ${request.id}: wait_for names the unknown request ${JSON.stringify(id)}`,
          );
        if (dependency === index)
          throw new InputError(`${name}: request ${request.id}: wait_for names the request itself`);
        unique.add(dependency);
      }
      return [...unique];
    });
    const cycle = findCycle(waits);
    if (cycle !== undefined)
      throw new InputError(
        `${name}: request ${this.requests[cycle].id}: wait_for makes a cycle that leads back to it`,
      );
    waits.forEach((dependencies, index) => {
      this.missing[index] = dependencies.length;
      for (const dependency of dependencies) this.dependents[dependency].push(index);
    });
  }

  private start(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const { timestampMs } of this.requests) if (timestampMs < first) first = timestampMs;
    this.requests.forEach((request, index) => {
      if (this.missing[index] > 0) return;
      const { timestampMs } = request;
      const isAtOnce = Number.isNaN(timestampMs) || this.pace.concurrency !== undefined;
      this.ready.push(isAtOnce ? 0 : (timestampMs - first) / this.pace.arrivalSpeedup, index, index, 0);
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
    for (const dependent of this.dependents[row])
      if (--this.missing[dependent] === 0) {
        const delay =
          this.requests[dependent].delayMs /
          (this.pace.concurrency === undefined ? this.pace.arrivalSpeedup : 1);
        this.ready.push(nowMs + delay, dependent, dependent, 0);
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
