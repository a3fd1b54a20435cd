import type { EndedDraft, RequestDraft, RequestSource } from '../workload/source.js';

/** A request on its way into the fleet. */
export interface Arrival {
  ticket: number;
  arrivalMs: number;
  tokens: Uint32Array;
  outputTokens: number;
  output: Uint32Array | undefined;
  priority: number;
  strictPriority: number;
  policyClass: string | undefined;
}

/** Requests as they come from outside: a workload without an end. */
export class LiveSource implements RequestSource {
  readonly total = Number.POSITIVE_INFINITY;
  readonly hashBlockTokens = 1;
  readonly hasTokens = true;
  readonly hasFeedback = true;
  readonly isGraph = false;
  private readonly arrivals: Arrival[] = [];

  /** @param onEnd told of every request that the fleet is done with */
  constructor(private readonly onEnd: (request: EndedDraft) => void) {}

  push(arrival: Arrival): void {
    this.arrivals.push(arrival);
  }

  /** Takes back a request that nobody has taken in. @returns whether there was one */
  remove(ticket: number): boolean {
    const at = this.arrivals.findIndex((arrival) => arrival.ticket === ticket);
    if (at >= 0) this.arrivals.splice(at, 1);
    return at >= 0;
  }

  nextReadyMs(): number {
    return this.arrivals.length > 0 ? this.arrivals[0].arrivalMs : Number.POSITIVE_INFINITY;
  }

  take(nowMs: number, draft: RequestDraft): boolean {
    const next = this.arrivals[0];
    if (next === undefined || next.arrivalMs > nowMs) return false;
    this.arrivals.shift();
    draft.row = next.ticket;
    draft.session = next.ticket;
    draft.turn = 0;
    draft.arrivalMs = next.arrivalMs;
    draft.inputTokens = next.tokens.length;
    draft.outputTokens = next.outputTokens;
    draft.hashCount = 0;
    draft.tokens = next.tokens;
    draft.plannedOutput = next.output;
    draft.priority = next.priority;
    draft.strictPriority = next.strictPriority;
    draft.policyClass = next.policyClass;
    return true;
  }

  ended(request: EndedDraft): void {
    this.onEnd(request);
  }

  isDrained(): boolean {
    return false;
  }

  sessionName(): null {
    return null;
  }
}
