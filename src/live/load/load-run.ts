import type { Collector } from '../../report/collector.js';
import type { RequestOutcome } from '../../report/outcome.js';
import { RequestDraft, type RequestSource } from '../../workload/source.js';
import type { Clock } from '../clock.js';
import { promptTokens } from './prompt-tokens.js';
import type { LoadSink, LoadStatus, LoadTarget, Steps } from './target.js';

/** How late requests were sent, and where the time to the first token went; milliseconds, mean over those seen. */
class StepTimes {
  private readonly sums: Record<string, { sum: number; count: number }> = {};

  add(name: string, ms: number): void {
    if (Number.isNaN(ms)) return;
    this.sums[name] ??= { sum: 0, count: 0 };
    this.sums[name].sum += ms;
    this.sums[name].count++;
  }

  get means(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.sums).map(([name, { sum, count }]) => [name, sum / count]));
  }
}

/** A request in flight. */
interface Flight {
  outcome: RequestOutcome;
  session: number;
  turn: number;
  gaps: number[];
}

/** Sends the requests of a workload when their time comes, and measures the answers. */
export class LoadRun {
  readonly steps = new StepTimes();
  private readonly draft = new RequestDraft();
  private inFlight = 0;
  private finish: (() => void) | undefined;
  private ended = 0;

  constructor(
    private readonly source: RequestSource,
    private readonly target: LoadTarget,
    private readonly clock: Clock,
    private readonly collector: Collector,
    private readonly options: { namesSessions: boolean; onProgress: ((ended: number) => void) | undefined },
  ) {}

  /** Runs until every request has its answer. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.finish = resolve;
      this.sendDue();
    });
  }

  private readonly sendDue = (): void => {
    const { source, draft, clock } = this;
    while (source.take(clock.nowMs, draft)) this.send();
    if (this.inFlight === 0 && source.isDrained()) {
      clock.stop();
      this.finish?.();
      return;
    }
    clock.wakeAt(source.nextReadyMs(), this.sendDue);
  };

  private send(): void {
    const { draft, source, target, collector, options } = this;
    const { session, turn, arrivalMs } = draft;
    const outcome = emptyOutcome(draft, this.clock.nowMs);
    if (options.namesSessions) {
      outcome.session = source.sessionName(session);
      outcome.turn = turn;
    }
    this.steps.add('late_ms', this.clock.nowMs - arrivalMs);
    this.inFlight++;
    collector.arrived++;
    const flight: Flight = { outcome, session, turn, gaps: [] };
    target.send(
      {
        row: draft.row,
        tokens: promptTokens(draft, source.hashBlockTokens),
        outputTokens: draft.outputTokens,
        output: draft.plannedOutput?.slice(),
      },
      this.sinkOf(flight),
    );
  }

  private sinkOf(flight: Flight): LoadSink {
    const { outcome, gaps } = flight;
    return {
      token: (atMs) => {
        const count = ++outcome.outputTokens;
        if (count === 1) outcome.firstTokenMs = atMs;
        else {
          if (count === 2) outcome.secondTokenMs = atMs;
          gaps.push(Math.max(0, atMs - outcome.lastTokenMs));
        }
        outcome.lastTokenMs = atMs;
        outcome.engineLastMs = atMs;
      },
      ended: (status, atMs, steps, known) => this.end(flight, status, atMs, steps, known ?? {}),
    };
  }

  private end(
    { outcome, session, turn, gaps }: Flight,
    status: LoadStatus,
    atMs: number,
    steps: Steps,
    known: Partial<RequestOutcome>,
  ): void {
    const { collector, source, options } = this;
    Object.assign(outcome, known, { status, terminalMs: atMs });
    this.noteSteps(outcome, steps);
    collector.ended(outcome);
    if (status === 'completed') for (const gap of gaps) collector.gaps.add(gap, 1);
    this.inFlight--;
    const { row, outputTokens: emittedTokens } = outcome;
    source.ended({
      row,
      session,
      turn,
      nowMs: atMs,
      rejected: status === 'rejected',
      endsSession: false,
      emittedTokens,
    });
    options.onProgress?.(++this.ended);
    this.sendDue();
  }

  private noteSteps({ arrivalMs, firstTokenMs }: RequestOutcome, steps: Steps): void {
    const { sentMs, headersMs, firstByteMs } = steps;
    this.steps.add('due_to_sent_ms', sentMs - arrivalMs);
    this.steps.add('sent_to_headers_ms', headersMs - sentMs);
    this.steps.add('headers_to_first_byte_ms', firstByteMs - headersMs);
    this.steps.add('first_byte_to_first_token_ms', firstTokenMs - firstByteMs);
  }
}

function emptyOutcome(draft: RequestDraft, sentMs: number): RequestOutcome {
  const { row, turn, arrivalMs, inputTokens, outputTokens } = draft;
  return {
    row,
    session: null,
    turn: null,
    turnOrdinal: turn,
    arrivalMs,
    readyMs: arrivalMs,
    firstAdmitMs: sentMs,
    firstTokenMs: Number.NaN,
    secondTokenMs: Number.NaN,
    lastTokenMs: Number.NaN,
    engineLastMs: Number.NaN,
    deliveryMs: 0,
    terminalMs: Number.NaN,
    inputTokens,
    requestedTokens: outputTokens,
    outputTokens: 0,
    firstReusedTokens: 0,
    reusedTokens: 0,
    preemptions: 0,
    history: null,
    dispatchMs: Number.NaN,
    stallMs: 0,
    firstStallMs: 0,
    chunkWaitMs: 0,
    worker: null,
    stages: null,
    status: 'unfinished',
  };
}
