import type { KvEventSink } from './block-pool.js';

/** Keeps back what is stored and removed until it is published, in order. */
export class EventQueue implements KvEventSink {
  private readonly pending: { id: number; isStored: boolean }[] = [];

  /** @param names keeps identities alive from when they are stored until it is known that they are gone */
  constructor(
    private readonly sink: KvEventSink,
    private readonly names: { retain(id: number): void; release(id: number): void },
  ) {}

  stored(id: number): void {
    this.names.retain(id);
    this.pending.push({ id, isStored: true });
  }

  removed(id: number): void {
    this.pending.push({ id, isStored: false });
  }

  publish(nowMs: number): void {
    if (this.pending.length > 0) this.sink.begin?.(nowMs);
    for (const { id, isStored } of this.pending)
      if (isStored) this.sink.stored(id);
      else {
        this.sink.removed(id);
        this.names.release(id);
      }
    this.pending.length = 0;
  }
}
