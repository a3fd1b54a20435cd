/** A line on standard error on how far a search has come; nothing where that is not a terminal. */
export class SweepProgress {
  private readonly isShown: boolean;
  private readonly startMs = performance.now();
  private done = 0;
  private best: number | undefined;

  /** @param total evaluations to expect, where known */
  constructor(
    isQuiet: boolean,
    private readonly total?: number,
  ) {
    this.isShown = !isQuiet && process.stderr.isTTY === true;
  }

  /** Counts an evaluation. @param score more is better */
  told(score: number, isFeasible: boolean): void {
    this.done++;
    if (isFeasible && (this.best === undefined || score > this.best)) this.best = score;
    if (!this.isShown) return;
    const seconds = (performance.now() - this.startMs) / 1000;
    const left = this.total === undefined ? '' : `, ${eta(seconds, this.done, this.total)} left`;
    const best = this.best === undefined ? 'none feasible yet' : `best so far ${this.best.toFixed(2)}`;
    const of = this.total === undefined ? '' : ` of ${this.total}`;
    process.stderr.write(`\r\u001b[K${this.done}${of} evaluated in ${seconds.toFixed(0)} s${left}; ${best}`);
  }

  stop(): void {
    if (this.isShown) process.stderr.write('\r\u001b[K');
  }
}

function eta(seconds: number, done: number, total: number): string {
  return `${Math.max(0, (seconds / done) * (total - done)).toFixed(0)} s`;
}
