/** Events of numbered actors at times, earliest first and first pushed first among equals: a heap in typed arrays. */
export class EventQueue {
  size = 0;
  private times = new Float64Array(64);
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
  push(time: number, actor: number): number {
    if (this.size === this.times.length) this.grow();
    const order = this.nextOrder++;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.times[parent] <= time) break;
      this.place(hole, this.times[parent], this.orders[parent], this.actors[parent]);
      hole = parent;
    }
    this.place(hole, time, order, actor);
    return order;
  }

  pop(): void {
    const last = --this.size;
    const time = this.times[last];
    const order = this.orders[last];
    const actor = this.actors[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(child + 1, this.times[child], this.orders[child])) child++;
      if (!this.isBefore(child, time, order)) break;
      this.place(hole, this.times[child], this.orders[child], this.actors[child]);
      hole = child;
    }
    this.place(hole, time, order, actor);
  }

  private isBefore(index: number, time: number, order: number): boolean {
    return this.times[index] < time || (this.times[index] === time && this.orders[index] < order);
  }

  private place(at: number, time: number, order: number, actor: number): void {
    this.times[at] = time;
    this.orders[at] = order;
    this.actors[at] = actor;
  }

  private grow(): void {
    const length = this.times.length * 2;
    const times = new Float64Array(length);
    const orders = new Float64Array(length);
    const actors = new Int32Array(length);
    times.set(this.times);
    orders.set(this.orders);
    actors.set(this.actors);
    this.times = times;
    this.orders = orders;
    this.actors = actors;
  }
}
