/** A clock that something waits on: time in milliseconds since it was made, and one alarm. */
export interface Clock {
  readonly nowMs: number;
  /** Calls `wake` when a time has come, in a turn of its own; a later call takes the place of an earlier one. */
  wakeAt(ms: number, wake: () => void): void;
  stop(): void;
}

/** Node's timers count whole milliseconds, and what is left of one is not waited for. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The time of the machine, which never goes back. */
export class WallClock implements Clock {
  private readonly startMs = performance.now();
  /** Wall time at its start, in milliseconds since 1970. */
  readonly epochMs = Date.now();
  private timer: NodeJS.Timeout | undefined;
  private alarmMs = Number.POSITIVE_INFINITY;

  get nowMs(): number {
    return performance.now() - this.startMs;
  }

  /** Milliseconds since 1970, as far as they have passed since the clock was made. */
  get unixMs(): number {
    return this.epochMs + this.nowMs;
  }

  wakeAt(ms: number, wake: () => void): void {
    if (ms === this.alarmMs) return;
    this.stop();
    this.alarmMs = ms;
    if (ms === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, Math.round(ms - this.nowMs)));
    this.timer = setTimeout(() => {
      this.alarmMs = Number.POSITIVE_INFINITY;
      wake();
    }, delayMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.alarmMs = Number.POSITIVE_INFINITY;
  }
}

/** A clock that jumps to the next alarm as soon as the process has nothing else to do: as fast as it goes. */
export class VirtualClock implements Clock {
  nowMs = 0;
  private turn: NodeJS.Immediate | undefined;

  wakeAt(ms: number, wake: () => void): void {
    this.stop();
    if (ms === Number.POSITIVE_INFINITY) return;
    this.turn = setImmediate(() => {
      this.nowMs = Math.max(this.nowMs, ms);
      wake();
    });
  }

  stop(): void {
    clearImmediate(this.turn);
  }
}
