import type { Clock } from '../live/clock.js';

/** A clock that a test moves. */
export class FakeClock implements Clock {
  nowMs = 0;
  private alarm: { ms: number; wake: () => void } | undefined;

  wakeAt(ms: number, wake: () => void): void {
    this.alarm = { ms, wake };
  }

  /** Lets time pass, waking whoever waits `lagMs` late. */
  advanceTo(ms: number, lagMs = 0): void {
    while (this.alarm && this.alarm.ms + lagMs <= ms) {
      const { wake } = this.alarm;
      this.nowMs = Math.max(this.nowMs, this.alarm.ms + lagMs);
      this.alarm = undefined;
      wake();
    }
    this.nowMs = ms;
  }

  stop(): void {
    this.alarm = undefined;
  }
}
