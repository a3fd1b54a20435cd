/** What a request waits for: KV blocks, one of the sequences allowed at once, or tokens of a pass. */
export type Lack = 'blocks' | 'sequences' | 'tokens';

/** What a rank is doing and has done so far, for pictures and diagnoses. */
export class EngineLoad {
  /** Sequences in the last pass, and requests that wait for one. */
  sequences = 0;
  waiting = 0;
  passes = 0;
  /** Prompt tokens computed. */
  prefillTokens = 0;
  /** Tokens of requests in passes that computed some of their prompt, and those of the last pass among them. */
  committedTokens = 0;
  lastCommittedTokens = 0;
  /** Sequences decoded, and sequences in passes at all, once for each pass. */
  decodeSteps = 0;
  sequenceSteps = 0;
  /** Time for prompts; what else passes take is for decoding and in the scheduler. */
  prefillMs = 0;
  preemptions = 0;
  /** Passes that left a request waiting for KV blocks, for one of the sequences allowed at once, or for tokens. */
  waitedForBlocks = 0;
  waitedForSequences = 0;
  waitedForTokens = 0;
  /** What requests waited in such passes, added up over requests and passes. */
  blocksWaitMs = 0;
  sequencesWaitMs = 0;
  tokensWaitMs = 0;
  /** Passes in which the head of the queue did not fit though one of those behind it would have. */
  blockedHeads = 0;

  /**
   * Charges the waiting during passes to what the head of the queue lacked in them.
   * @param waiting how many wait by the end of them; their number is taken to have changed evenly
   */
  noteWait(lack: Lack, passes: number, ms: number, waiting: number): void {
    const waitMs = ((this.waiting + waiting) / 2) * ms;
    this.waiting = waiting;
    if (lack === 'blocks') {
      this.waitedForBlocks += passes;
      this.blocksWaitMs += waitMs;
    } else if (lack === 'sequences') {
      this.waitedForSequences += passes;
      this.sequencesWaitMs += waitMs;
    } else {
      this.waitedForTokens += passes;
      this.tokensWaitMs += waitMs;
    }
  }
}
