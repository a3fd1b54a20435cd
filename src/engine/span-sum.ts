/** The length of spans of time that follow each other; spans that touch count as one, in whatever pieces they come. */
export class SpanSum {
  private pastMs = 0;
  private startMs = 0;
  private endMs = 0;

  add(startMs: number, endMs: number): void {
    if (startMs !== this.endMs) {
      this.pastMs = this.totalMs;
      this.startMs = startMs;
    }
    this.endMs = endMs;
  }

  get totalMs(): number {
    return this.pastMs + (this.endMs - this.startMs);
  }
}
