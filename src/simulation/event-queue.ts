/**
 * Events of numbered actors at times, as a heap in typed arrays: earliest first, among equals what was caused first
 * (by time of the cause, then by rank), then the smaller actor. An event is named by the order in which it was pushed.
 */
export class EventQueue {
  size = 0;
  private times = new Float64Array(64);
  private causes = new Float64Array(64);
  private ranks = new Float64Array(64);
  private orders = new Float64Array(64);
  private actors = new Int32Array(64);
  private nextOrder = 0;

  /** Infinity when empty. */
  get timeMs(): number {
    return this.size > 0 ? this.times[0] : Number.POSITIVE_INFINITY;
  }

  get actor(): number {
    return this.actors[0];
  }

  get order(): number {
    return this.orders[0];
  }

  /** @returns the order number of the event */
  push(time: number, cause: number, rank: number, actor: number): number {
    if (this.size === this.times.length) this.grow();
    const order = this.nextOrder++;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.isBefore(parent, time, cause, rank, actor)) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.place(hole, time, cause, rank, order, actor);
    return order;
  }

  pop(): void {
    const last = --this.size;
    const time = this.times[last];
    const cause = this.causes[last];
    const rank = this.ranks[last];
    const order = this.orders[last];
    const actor = this.actors[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      const right = child + 1;
      if (
        right < last &&
        this.isBefore(right, this.times[child], this.causes[child], this.ranks[child], this.actors[child])
      )
        child = right;
      if (!this.isBefore(child, time, cause, rank, actor)) break;
      this.move(child, hole);
      hole = child;
    }
    this.place(hole, time, cause, rank, order, actor);
  }

  private isBefore(index: number, time: number, cause: number, rank: number, actor: number): boolean {
    if (this.times[index] !== time) return this.times[index] < time;
    if (this.causes[index] !== cause) return this.causes[index] < cause;
    if (this.ranks[index] !== rank) return this.ranks[index] < rank;
    return this.actors[index] < actor;
  }

  private move(from: number, to: number): void {
    this.place(
      to,
      this.times[from],
      this.causes[from],
      this.ranks[from],
      this.orders[from],
      this.actors[from],
    );
  }

  private place(at: number, time: number, cause: number, rank: number, order: number, actor: number): void {
    this.times[at] = time;
    this.causes[at] = cause;
    this.ranks[at] = rank;
    this.orders[at] = order;
    this.actors[at] = actor;
  }

  private grow(): void {
    const length = this.times.length * 2;
    this.times = grown(this.times, new Float64Array(length));
    this.causes = grown(this.causes, new Float64Array(length));
    this.ranks = grown(this.ranks, new Float64Array(length));
    this.orders = grown(this.orders, new Float64Array(length));
    this.actors = grown(this.actors, new Int32Array(length));
  }
}

function grown<T extends Float64Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
