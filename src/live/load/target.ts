import type { RequestOutcome } from '../../report/outcome.js';

/** A request to send. */
export interface LoadRequest {
  row: number;
  tokens: Uint32Array;
  outputTokens: number;
  output: Uint32Array | undefined;
}

/** When the steps of an answer could be seen, in milliseconds of the run; NaN for what could not. */
export interface Steps {
  /** A connection was there and the request had been written. */
  sentMs: number;
  /** Status and headers came. */
  headersMs: number;
  /** The first bytes of the body came, which may hold no token. */
  firstByteMs: number;
}

export type LoadStatus = RequestOutcome['status'];

/** Hears the answer to a request. */
export interface LoadSink {
  token(atMs: number): void;
  /** @param known what else is known of it, where the target is a fleet of our own */
  ended(status: LoadStatus, atMs: number, steps: Steps, known?: Partial<RequestOutcome>): void;
}

/** What load is put on. */
export interface LoadTarget {
  send(request: LoadRequest, sink: LoadSink): void;
  close(): Promise<void>;
}

export const NO_STEPS: Steps = { sentMs: Number.NaN, headersMs: Number.NaN, firstByteMs: Number.NaN };
