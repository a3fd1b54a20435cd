/** Turns that wait for their time, ordered by (ready time, session): a binary heap in parallel arrays. */
export class ReadyHeap {
  size = 0;
  private times = new Float64Array(64);
  private sessions = new Int32Array(64);
  private rows = new Int32Array(64);
  private turns = new Int32Array(64);

  get timeMs(): number {
    return this.size > 0 ? this.times[0] : Number.POSITIVE_INFINITY;
  }
  get session(): number {
    return this.sessions[0];
  }
  get row(): number {
    return this.rows[0];
  }
  get turn(): number {
    return this.turns[0];
  }

  push(time: number, session: number, row: number, turn: number): void {
    if (this.size === this.times.length) this.grow();
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.isBefore(time, session, parent)) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.place(hole, time, session, row, turn);
  }

  pop(): void {
    const last = --this.size;
    const time = this.times[last];
    const session = this.sessions[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(this.times[child + 1], this.sessions[child + 1], child)) child++;
      if (this.isBefore(time, session, child)) break;
      this.move(child, hole);
      hole = child;
    }
    this.place(hole, time, session, this.rows[last], this.turns[last]);
  }

  private isBefore(time: number, session: number, other: number): boolean {
    return time < this.times[other] || (time === this.times[other] && session < this.sessions[other]);
  }

  private move(from: number, to: number): void {
    this.place(to, this.times[from], this.sessions[from], this.rows[from], this.turns[from]);
  }

  private place(at: number, time: number, session: number, row: number, turn: number): void {
    this.times[at] = time;
    this.sessions[at] = session;
    this.rows[at] = row;
    this.turns[at] = turn;
  }

  private grow(): void {
    const grow = <T extends Float64Array | Int32Array>(old: T, grown: T): T => {
      grown.set(old);
      return grown;
    };
    const length = this.times.length * 2;
    this.times = grow(this.times, new Float64Array(length));
    this.sessions = grow(this.sessions, new Int32Array(length));
    this.rows = grow(this.rows, new Int32Array(length));
    this.turns = grow(this.turns, new Int32Array(length));
  }
}
