/** What is known of a request when it ends; times in milliseconds, NaN for what did not happen. */
export interface RequestOutcome {
  row: number;
  session: string | null;
  turn: number | null;
  /** Place in its session, from 0; known whether or not records name it. */
  turnOrdinal: number;
  arrivalMs: number;
  /** When the frontend is done with it: the arrival, where its time is not simulated. */
  readyMs: number;
  firstAdmitMs: number;
  firstTokenMs: number;
  secondTokenMs: number;
  lastTokenMs: number;
  /** When the engine emitted the last token, and how much later than that the first one reaches the client. */
  engineLastMs: number;
  deliveryMs: number;
  terminalMs: number;
  inputTokens: number;
  requestedTokens: number;
  outputTokens: number;
  firstReusedTokens: number;
  reusedTokens: number;
  preemptions: number;
  /** Its way through routers and engines; null where it is not told. */
  history: RequestHistory | null;
  /** When a router that held it back let it go; NaN otherwise. */
  dispatchMs: number;
  /** Time out of service after preemptions, and that before its first token. */
  stallMs: number;
  firstStallMs: number;
  /** Time in passes that computed nothing of its prompt once that was begun. */
  chunkWaitMs: number;
  /** null in the single-worker runtime, for which the reference names none. */
  worker: number | null;
  /** Its way through a fleet with stages; null in others. */
  stages: StageOutcome | null;
  status: 'completed' | 'rejected' | 'failed' | 'unfinished';
}

/** The decision of a router; times in milliseconds. */
export interface Route {
  pool: 'agg' | 'prefill' | 'decode';
  /** From when to when it was held back; NaN for one that was not. */
  heldSinceMs: number;
  releasedMs: number;
  /** The rank that was chosen, counted over all workers, and as a rank of its worker. */
  target: number;
  worker: number;
  rank: number;
  /** Prompt tokens that the router knew in the cache of that rank. */
  overlapTokens: number;
  /** Leading blocks that it knew there, and the most that it knew anywhere; null where it does not look. */
  blocks: { overlap: number; best: number } | null;
}

/** Decisions of routers about a request, and its admissions to run, in order of time. */
export interface RequestHistory {
  routes: Route[];
  admissions: { pool: Route['pool']; atMs: number; reusedTokens: number }[];
}

/** The way of a request from prefill to decode; times in milliseconds, NaN for what did not happen. */
export interface StageOutcome {
  prefillWorker: number | null;
  prefillAdmitMs: number;
  sourceHeldMs: number;
  destinationReservedMs: number;
  destinationActivatedMs: number;
  decodeAdmitMs: number;
  sourceReleasedMs: number;
  prefillReusedTokens: number;
  /** null when it was not admitted to decode. */
  decodeReusedTokens: number | null;
  /** Prompt tokens that the routers saw cached where they sent the request; null before it was sent. */
  prefillOverlapTokens: number | null;
  decodeOverlapTokens: number | null;
}
