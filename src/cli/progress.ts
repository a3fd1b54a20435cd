import { SingleBar as Bar, type SingleBar } from 'cli-progress';

/** A progress bar on standard error; nothing where that is not a terminal. */
export class ProgressBar {
  readonly callback: ((ended: number, total: number) => void) | undefined;
  private bar: SingleBar | undefined;

  constructor(isQuiet: boolean) {
    if (isQuiet || process.stderr.isTTY !== true) return;
    this.callback = (ended, total) => {
      if (!this.bar) {
        this.bar = new Bar({
          format: 'replaying {bar} {percentage}% | {value}/{total} requests | {eta_formatted} left',
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
        });
        this.bar.start(total, ended);
      }
      this.bar.update(ended);
    };
  }

  stop(): void {
    this.bar?.stop();
  }
}

/** A line on standard error that counts replays; nothing where that is not a terminal. */
export class ReplayCounter {
  private readonly isShown: boolean;

  /** @param total replays to expect, where known */
  constructor(
    isQuiet: boolean,
    private readonly total?: number,
  ) {
    this.isShown = !isQuiet && process.stderr.isTTY === true;
  }

  readonly callback = (replays: number): void => {
    if (this.isShown)
      process.stderr.write(`\rreplay ${replays}${this.total === undefined ? '' : ` of ${this.total}`}`);
  };

  stop(): void {
    if (this.isShown) process.stderr.write('\r\u001b[K');
  }
}
