/** Finds the first of some strings in a text that comes piece by piece, and holds back what may be the start of one. */
export class StopMatcher {
  private held = '';

  constructor(private readonly stops: readonly string[]) {}

  /** @returns the text that can be told, and whether a stop string follows it */
  push(piece: string): { text: string; stopped: boolean } {
    if (this.stops.length === 0) return { text: piece, stopped: false };
    const text = this.held + piece;
    const found = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.held = '';
      return { text: text.slice(0, Math.min(...found)), stopped: true };
    }
    const keep = this.longestStart(text);
    this.held = text.slice(text.length - keep);
    return { text: text.slice(0, text.length - keep), stopped: false };
  }

  /** What was held back and turned out to be no stop string. */
  end(): string {
    const { held } = this;
    this.held = '';
    return held;
  }

  /** Length of the longest end of a text that is the start of a stop string. */
  private longestStart(text: string): number {
    let longest = 0;
    for (const stop of this.stops)
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (text.endsWith(stop.slice(0, length))) longest = length;
    return longest;
  }
}
