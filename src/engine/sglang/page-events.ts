import type { KvEventSink } from '../kv/block-pool.js';

/**
 * What a rank tells the router of its pages: content is stored with its first copy and removed with its last. Kept back
 * until `publish`, since SGLang makes it known at the end of a pass.
 */
export class PageEvents {
  /** Pages that hold an identity. */
  private readonly copies = new Map<number, number>();
  private readonly pending: { id: number; isStored: boolean }[] = [];

  /** @param names keeps identities alive until the router knows that they are gone */
  constructor(
    private readonly sink: KvEventSink,
    private readonly names: { retain(id: number): void; release(id: number): void },
  ) {}

  /** Pages `from` to `to` of a request hold, or will hold, these identities. */
  filled(ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const id = ids[i];
      const copies = this.copies.get(id) ?? 0;
      this.copies.set(id, copies + 1);
      if (copies > 0) continue;
      this.names.retain(id);
      this.pending.push({ id, isStored: true });
    }
  }

  freed(ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const id = ids[i];
      const copies = this.copies.get(id)! - 1;
      if (copies > 0) this.copies.set(id, copies);
      else {
        this.copies.delete(id);
        this.pending.push({ id, isStored: false });
      }
    }
  }

  publish(): void {
    for (const { id, isStored } of this.pending)
      if (isStored) this.sink.stored(id);
      else {
        this.sink.removed(id);
        this.names.release(id);
      }
    this.pending.length = 0;
  }
}
