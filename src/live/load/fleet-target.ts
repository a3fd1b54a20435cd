import type { RequestOutcome } from '../../report/outcome.js';
import type { Clock } from '../clock.js';
import type { EndKind, Serving } from '../serving.js';
import { type LoadRequest, type LoadSink, type LoadStatus, type LoadTarget, NO_STEPS } from './target.js';

const STATUS: Record<EndKind, LoadStatus> = {
  completed: 'completed',
  rejected: 'rejected',
  failed: 'failed',
  cancelled: 'failed',
};

/** Puts load on a fleet in this process. Tokens count when they are heard, not when their pass should have ended. */
export class FleetTarget implements LoadTarget {
  /** @param aheadMs how far the clock of the fleet is ahead of that of the run */
  constructor(
    private readonly serving: Serving,
    private readonly clock: Clock,
    private readonly aheadMs: number,
  ) {}

  send({ tokens, outputTokens, output }: LoadRequest, sink: LoadSink): void {
    const { clock } = this;
    this.serving.submit(
      { tokens, outputTokens, output },
      {
        token: () => sink.token(clock.nowMs),
        ended: (_, why, _atMs, outcome) =>
          sink.ended(STATUS[why], clock.nowMs, NO_STEPS, this.knownOf(outcome)),
      },
    );
  }

  /** What only the fleet knows of a request. */
  private knownOf(outcome: RequestOutcome | undefined): Partial<RequestOutcome> {
    if (!outcome) return {};
    const { firstReusedTokens, reusedTokens, preemptions, worker } = outcome;
    const firstAdmitMs = outcome.firstAdmitMs - this.aheadMs;
    return { firstAdmitMs, firstReusedTokens, reusedTokens, preemptions, worker };
  }

  close(): Promise<void> {
    return this.serving.drain();
  }
}
