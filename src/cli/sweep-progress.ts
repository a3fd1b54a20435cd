/** A line on standard error on how far a search has come; nothing where that is not a terminal. */
export class SweepProgress {
  private readonly isShown: boolean;
  private readonly startMs = performance.now();
  private total: number | undefined;
  private runs = 0;
  private done = 0;
  private best = '';

  constructor(isQuiet: boolean) {
    this.isShown = !isQuiet && process.stderr.isTTY === true;
  }

  /** @param total candidates to expect */
  expect(total: number): void {
    this.total = total;
  }

  /** Counts a simulation. */
  ran(): void {
    this.runs++;
    this.show();
  }

  /** Counts a candidate. @param best the best one so far, in words; left out where nothing has changed */
  told(best?: string): void {
    this.done++;
    this.best = best ?? this.best;
    this.show();
  }

  private show(): void {
    if (!this.isShown) return;
    const seconds = (performance.now() - this.startMs) / 1000;
    const of = this.total === undefined ? '' : ` of ${this.total}`;
    // Candidates of a batch are counted when all of it has ended; simulations show earlier how fast it goes.
    const done = Math.max(this.done, Math.min(this.runs, (this.total ?? 1) - 1));
    const left = this.total === undefined || done === 0 ? '' : `, ${eta(seconds, done, this.total)} left`;
    const runs = this.runs > this.done ? `, ${this.runs} simulations` : '';
    const best = this.best === '' ? 'none feasible yet' : `best so far ${this.best}`;
    process.stderr.write(
      `\r\u001b[K${this.done}${of} candidates${runs} in ${seconds.toFixed(0)} s${left}; ${best}`,
    );
  }

  stop(): void {
    if (this.isShown) process.stderr.write('\r\u001b[K');
  }
}

function eta(seconds: number, done: number, total: number): string {
  return `${Math.max(0, (seconds / done) * (total - done)).toFixed(0)} s`;
}
