import { WireError } from '../codec/value.js';
import { decodeRecord } from './records.js';
import type { RecordListener } from './registry.js';

/** The records that a watcher has heard of. Texts that cannot be read are passed over: they are somebody else's. */
export class RecordSet {
  private readonly known = new Set<string>();

  constructor(private readonly listener: RecordListener) {}

  get keys(): Iterable<string> {
    return this.known;
  }

  has(key: string): boolean {
    return this.known.has(key);
  }

  add(key: string, text: string): void {
    if (this.known.has(key)) return;
    try {
      const record = decodeRecord(text);
      this.known.add(key);
      this.listener.added(key, record);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  remove(key: string): void {
    if (this.known.delete(key)) this.listener.removed(key);
  }
}
