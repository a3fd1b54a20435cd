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
  /** Times it was admitted to run, and those that were not the first of their stage; null where they are not told. */
  admissions: { count: number; again: number } | null;
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
