import type { RequestOutcome } from '../report/outcome.js';

/** What is asked of a fleet of simulated workers. */
export interface Prompt {
  /** Token ids; equal prefixes are found in the workers' caches. */
  tokens: Uint32Array;
  /** Most tokens to generate. */
  outputTokens: number;
  /** Ids that will be generated, where they can come back as prompt; as many as `outputTokens`. */
  output?: Uint32Array | undefined;
  /** For the KV router's queue. */
  priority?: number | undefined;
  strictPriority?: number | undefined;
  policyClass?: string | undefined;
}

/** A request in service: its number, never used again. */
export type Ticket = number;

/** How a request ended: `rejected` where the fleet does not take it, `failed` where something broke on the way. */
export type EndKind = 'completed' | 'rejected' | 'failed' | 'cancelled';

/** Hears what a request gets: its tokens one by one, then its end, once. Times are milliseconds of the fleet's clock. */
export interface TokenSink {
  /**
   * @param atMs when the pass ended that generated it; the call comes a little later, by the machine's timers
   * @param id of the token, where it is not one that was planned
   */
  token(ticket: Ticket, atMs: number, id?: number): void;
  /** So much of the prompt was found in a cache, where that is known before the end. */
  cached?(ticket: Ticket, tokens: number): void;
  /** @param outcome how it went, where the fleet has come to an end with it */
  ended(ticket: Ticket, why: EndKind, atMs: number, outcome?: RequestOutcome): void;
}

/** A fleet that serves requests as time goes by. */
export interface Serving {
  submit(prompt: Prompt, sink: TokenSink): Ticket;
  /** Ends a request, if it has not ended; its sink hears no token any more, and `cancelled` as its end. */
  cancel(ticket: Ticket): void;
  /** Takes nothing new. @returns when everything in service has ended */
  drain(): Promise<void>;
}
