import type { PolicyClass } from '../config/router-policy.js';

/** A request that waits in the router, with what was known of it when it arrived. */
export interface QueuedRequest {
  slot: number;
  strictPriority: number;
  score: number;
  order: number;
  /** Uncached tokens at arrival; what serving it costs its class. */
  costTokens: number;
  inputTokens: number;
  cachedTokens: number;
  overlaps: Int32Array;
}

/** The waiting requests of one policy class, best first. */
export class ClassQueue {
  deficit = 0;
  inputTokens = 0;
  cachedTokens = 0;
  private readonly entries: QueuedRequest[] = [];

  constructor(readonly policy: PolicyClass) {}

  get size(): number {
    return this.entries.length;
  }

  get best(): QueuedRequest | undefined {
    return this.entries[0];
  }

  push(request: QueuedRequest): void {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(request, this.entries[middle])) high = middle;
      else low = middle + 1;
    }
    this.entries.splice(low, 0, request);
    this.inputTokens += request.inputTokens;
    this.cachedTokens += request.cachedTokens;
  }

  pop(): QueuedRequest {
    const request = this.entries.shift()!;
    this.inputTokens -= request.inputTokens;
    this.cachedTokens -= request.cachedTokens;
    return request;
  }
}

function isBefore(a: QueuedRequest, b: QueuedRequest): boolean {
  if (a.strictPriority !== b.strictPriority) return a.strictPriority > b.strictPriority;
  if (a.score !== b.score) return a.score > b.score;
  return a.order < b.order;
}

/** Deficit round robin over the classes (`scheduling/policy_queue.rs` of the reference). */
export class FairQueue {
  private cursor = 0;
  private carry: ClassQueue | undefined;

  constructor(readonly classes: readonly ClassQueue[]) {}

  get size(): number {
    return this.classes.reduce((sum, queue) => sum + queue.size, 0);
  }

  /** Takes the next request to serve; undefined when none may be. @param isBlocked whether a class must wait */
  pop(isBlocked: (queue: ClassQueue) => boolean): QueuedRequest | undefined {
    const { carry } = this;
    this.carry = undefined;
    if (this.size === 0) return undefined;
    const candidates = new Map<ClassQueue, QueuedRequest>();
    for (const queue of this.classes) if (queue.best && !isBlocked(queue)) candidates.set(queue, queue.best);
    if (carry) {
      const candidate = candidates.get(carry);
      if (candidate && candidate.costTokens <= carry.deficit) return this.take(carry);
      if (carry.size === 0) carry.deficit = 0;
    }
    const turn = this.classes.map((_, k) => this.classes[(this.cursor + k) % this.classes.length]);
    for (const queue of turn) {
      const candidate = candidates.get(queue);
      if (!candidate) {
        if (queue.size === 0) queue.deficit = 0;
        continue;
      }
      if (candidate.costTokens <= queue.deficit) return this.take(queue);
      queue.deficit += queue.policy.quantum;
      if (candidate.costTokens <= queue.deficit) return this.take(queue);
    }
    if (candidates.size === 0) return undefined;
    const rounds = Math.min(
      ...[...candidates].map(([queue, { costTokens }]) =>
        Math.ceil(Math.max(0, costTokens - queue.deficit) / queue.policy.quantum),
      ),
    );
    for (const queue of candidates.keys()) queue.deficit += queue.policy.quantum * rounds;
    return this.take(turn.find((queue) => (candidates.get(queue)?.costTokens ?? Infinity) <= queue.deficit)!);
  }

  private take(queue: ClassQueue): QueuedRequest {
    this.cursor = (this.classes.indexOf(queue) + 1) % this.classes.length;
    const request = queue.pop();
    queue.deficit = Math.max(0, queue.deficit - request.costTokens);
    if (queue.size === 0) queue.deficit = 0;
    else if (queue.deficit > 0) this.carry = queue;
    return request;
  }
}
