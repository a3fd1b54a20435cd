import type { RequestOutcome } from '../report/outcome.js';
import type { WorkerUse } from '../report/report.js';
import type { StageName, StageView } from '../simulation/views.js';
import type { Clock } from './clock.js';
import { Deliveries } from './deliveries.js';
import { type FleetLimits, isServable } from './fleet-limits.js';
import type { FleetListener, FleetLoop } from './fleet-loop.js';
import { HangingSink } from './hanging-sink.js';
import { LiveSource } from './live-source.js';
import type { EndKind, Prompt, Serving, Ticket, TokenSink } from './serving.js';

/** The least lag of a timer that is worth another one: an event this near counts as due. */
const NEAR_MS = 0.5;

interface Ending {
  ticket: Ticket;
  why: EndKind;
  atMs: number;
  outcome: RequestOutcome | undefined;
}

const ENDS: Record<RequestOutcome['status'], EndKind> = {
  completed: 'completed',
  rejected: 'rejected',
  failed: 'failed',
  unfinished: 'failed',
};

/**
 * A simulated fleet in the time of a clock. Its own time is exact: a pass begins where the one before it ended,
 * whenever the machine gets round to it, so that late timers delay what they deliver and nothing after it.
 */
export class FleetServing implements Serving {
  private readonly source = new LiveSource(() => undefined);
  private readonly loop: FleetLoop;
  private readonly deliveries = new Deliveries();
  private readonly endings: Ending[] = [];
  private readonly sinks = new Map<Ticket, TokenSink>();
  private nextTicket = 1;
  private readonly whenIdle: (() => void)[] = [];

  /** @param open builds the fleet around a source of requests */
  constructor(
    private readonly clock: Clock,
    readonly limits: FleetLimits,
    open: (source: LiveSource, listener: FleetListener) => FleetLoop,
  ) {
    this.loop = open(this.source, {
      token: (ticket, endMs) => this.deliveries.add(ticket, endMs),
      outcome: (outcome) => {
        const { row, status, terminalMs } = outcome;
        this.endings.push({ ticket: row, why: ENDS[status], atMs: terminalMs, outcome: { ...outcome } });
      },
    });
  }

  submit(prompt: Prompt, sink: TokenSink): Ticket {
    const { clock, loop, source } = this;
    const ticket = this.nextTicket++;
    this.sinks.set(ticket, sink);
    if (!isServable(this.limits, prompt)) {
      queueMicrotask(() => this.end({ ticket, why: 'rejected', atMs: clock.nowMs, outcome: undefined }));
      return ticket;
    }
    source.push({
      ticket,
      arrivalMs: Math.max(clock.nowMs, loop.nowMs),
      tokens: prompt.tokens,
      outputTokens: prompt.outputTokens,
      output: prompt.output,
      priority: prompt.priority ?? 0,
      strictPriority: prompt.strictPriority ?? 0,
      policyClass: prompt.policyClass,
    });
    this.arm();
    return ticket;
  }

  /** The time of the fleet, in milliseconds since its start. */
  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** The worker of a request breaks down: all requests that it has fail, and a new worker takes its place. */
  loseWorkerOf(ticket: Ticket): void {
    const { loop, clock } = this;
    const lost = [...loop.neighbours(ticket)];
    loop.loseWorkerOf(ticket);
    for (const other of lost)
      this.end({ ticket: other, why: 'failed', atMs: clock.nowMs, outcome: undefined });
    this.arm();
  }

  /** The worker of a request hangs: nothing of all that it has comes out before a time has gone by. */
  hangWorkerOf(ticket: Ticket, ms: number): void {
    for (const other of this.loop.neighbours(ticket)) {
      const sink = this.sinks.get(other);
      if (sink) this.sinks.set(other, new HangingSink(sink).hang(ms));
    }
  }

  /** Sets how many workers a stage has; those that go finish what they have, and new ones start at once. */
  scale(stage: StageName, workers: number): void {
    this.loop.until(this.clock.nowMs);
    this.loop.scale(stage, workers, 0);
    this.arm();
  }

  /** What the workers did so far. */
  use(): WorkerUse {
    return this.loop.use();
  }

  stages(): readonly StageView[] {
    return this.loop.stages();
  }

  cancel(ticket: Ticket): void {
    if (!this.sinks.has(ticket)) return;
    if (!this.source.remove(ticket)) {
      this.loop.cancel(ticket);
      this.arm();
    }
    this.end({ ticket, why: 'cancelled', atMs: this.clock.nowMs, outcome: undefined });
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle.push(resolve);
      this.noteIdle();
    });
  }

  /** Sets the clock for what happens next. */
  private arm(): void {
    this.clock.wakeAt(this.loop.nextMs, this.wake);
  }

  private readonly wake = (): void => {
    const { loop } = this;
    const { nowMs } = this.clock;
    while (loop.nextMs <= nowMs + NEAR_MS) loop.until(Math.max(nowMs, loop.nextMs));
    this.deliveries.deliver(loop.nowMs, (ticket, atMs) => this.sinks.get(ticket)?.token(ticket, atMs));
    for (const ending of this.endings.splice(0)) this.end(ending);
    this.arm();
  };

  private end({ ticket, why, atMs, outcome }: Ending): void {
    const sink = this.sinks.get(ticket);
    if (!sink) return;
    this.sinks.delete(ticket);
    sink.ended(ticket, why, atMs, outcome);
    this.noteIdle();
  }

  private noteIdle(): void {
    if (this.sinks.size > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}
