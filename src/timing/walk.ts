/** Takes the gap between passes and how many passes had it. */
export interface PassGaps {
  addPasses(gapMs: number, passes: number): void;
}

const exponentView = new DataView(new ArrayBuffer(8));

/** The smallest power of two above a positive normal number. */
function binadeTop(x: number): number {
  exponentView.setFloat64(0, x);
  const exponent = (exponentView.getUint16(0) >> 4) + 1;
  exponentView.setUint32(0, exponent << 20);
  exponentView.setUint32(4, 0);
  return exponentView.getFloat64(0);
}

/**
 * Advances a clock by equal additions, bit for bit as if added one at a time. While the clock stays within one binade
 * every addition rounds alike, so a whole run of passes is one exact product; near the border, and when the addend
 * falls just between two representable times, passes are added singly.
 */
export class ClockWalk {
  /** Passes made by the last `run`, and when the last of them began. */
  passes = 0;
  lastStartMs = 0;
  /** End of the binade in which the clock was last. */
  private top = 1;

  /**
   * @param limitMs passes begin before it
   * @returns the time after the passes made
   */
  run(startMs: number, addMs: number, maxPasses: number, limitMs: number, gaps?: PassGaps): number {
    let t = startMs;
    let left = maxPasses;
    while (left > 0 && t < limitMs) {
      const next = t + addMs;
      const step = next - t;
      const many = left > 3 ? this.steadySteps(t, addMs, step, left, limitMs) : 0;
      if (many > 3) {
        t += many * step;
        this.lastStartMs = t - step;
        left -= many;
        gaps?.addPasses(step, many);
      } else {
        this.lastStartMs = t;
        t = next;
        left--;
        gaps?.addPasses(step, 1);
      }
    }
    this.passes = maxPasses - left;
    return t;
  }

  /** Steps from t, at most `most`, that certainly all add `step` and begin before the limit. */
  private steadySteps(t: number, addMs: number, step: number, most: number, limitMs: number): number {
    if (t >= this.top || t < this.top / 2) {
      if (t <= 0) return 0;
      this.top = binadeTop(t);
    }
    const { top } = this;
    if (step === 0) return most;
    if (Math.abs(addMs - step) === top * 2 ** -54) return 0;
    return Math.min(most, Math.floor(Math.min(top - t, limitMs - t) / step) - 1);
  }
}
