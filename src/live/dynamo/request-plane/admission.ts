/** How many requests an endpoint takes at once, and how many may wait. */
export interface AdmissionLimits {
  running: number;
  queued: number;
}

/** Lets requests run up to a limit; more wait in order, and what is too much is turned away. */
export class Admission {
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(private readonly limits: AdmissionLimits) {}

  /** @param start begins a request; `leave` must be called when it is over @returns false when there is no room */
  enter(start: () => void): boolean {
    if (this.running < this.limits.running) {
      this.running++;
      start();
      return true;
    }
    if (this.queue.length >= this.limits.queued) return false;
    this.queue.push(start);
    return true;
  }

  leave(): void {
    const next = this.queue.shift();
    if (next) next();
    else this.running--;
  }
}
