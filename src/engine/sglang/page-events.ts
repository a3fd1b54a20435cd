import type { EventQueue } from '../kv/event-queue.js';

/** What a rank tells the router of its pages: content is stored with its first copy and removed with its last. */
export class PageEvents {
  /** Pages that hold an identity. */
  private readonly copies = new Map<number, number>();

  /** @param queue keeps back what happens until the end of the pass, where SGLang makes it known */
  constructor(private readonly queue: EventQueue) {}

  /** Pages `from` to `to` of a request hold, or will hold, these identities. */
  filled(ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const id = ids[i];
      const copies = this.copies.get(id) ?? 0;
      this.copies.set(id, copies + 1);
      if (copies === 0) this.queue.stored(id);
    }
  }

  freed(ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const id = ids[i];
      const copies = this.copies.get(id)! - 1;
      if (copies > 0) this.copies.set(id, copies);
      else {
        this.copies.delete(id);
        this.queue.removed(id);
      }
    }
  }

  publish(nowMs: number): void {
    this.queue.publish(nowMs);
  }
}
