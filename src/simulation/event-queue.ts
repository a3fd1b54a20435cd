/**
 * Events of numbered actors at times, as a heap in typed arrays: earliest first, among equals what began first, then the
 * smaller actor. An event is named by the order in which it was pushed.
 */
export class EventQueue {
  size = 0;
  private times = new Float64Array(64);
  private starts = new Float64Array(64);
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
  push(time: number, start: number, actor: number): number {
    if (this.size === this.times.length) this.grow();
    const order = this.nextOrder++;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.isBefore(parent, time, start, actor)) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.place(hole, time, start, order, actor);
    return order;
  }

  pop(): void {
    const last = --this.size;
    const time = this.times[last];
    const start = this.starts[last];
    const order = this.orders[last];
    const actor = this.actors[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && this.isBefore(right, this.times[child], this.starts[child], this.actors[child]))
        child = right;
      if (!this.isBefore(child, time, start, actor)) break;
      this.move(child, hole);
      hole = child;
    }
    this.place(hole, time, start, order, actor);
  }

  private isBefore(index: number, time: number, start: number, actor: number): boolean {
    if (this.times[index] !== time) return this.times[index] < time;
    if (this.starts[index] !== start) return this.starts[index] < start;
    return this.actors[index] < actor;
  }

  private move(from: number, to: number): void {
    this.place(to, this.times[from], this.starts[from], this.orders[from], this.actors[from]);
  }

  private place(at: number, time: number, start: number, order: number, actor: number): void {
    this.times[at] = time;
    this.starts[at] = start;
    this.orders[at] = order;
    this.actors[at] = actor;
  }

  private grow(): void {
    const length = this.times.length * 2;
    const times = new Float64Array(length);
    const starts = new Float64Array(length);
    const orders = new Float64Array(length);
    const actors = new Int32Array(length);
    times.set(this.times);
    starts.set(this.starts);
    orders.set(this.orders);
    actors.set(this.actors);
    this.times = times;
    this.starts = starts;
    this.orders = orders;
    this.actors = actors;
  }
}
