import { RecordSet } from './record-set.js';
import { type Bucket, type DiscoveryRecord, encodeRecord, placeOf } from './records.js';
import { DiscoveryError, isBelow, type RecordListener, type Registry, type Watch } from './registry.js';

interface Watcher {
  bucket: Bucket;
  prefix: string;
  records: RecordSet;
}

/** Records of the members that live in one process. */
export class MemoryStore {
  private readonly texts = new Map<Bucket, Map<string, string>>();
  private readonly watchers = new Set<Watcher>();

  private bucket(name: Bucket): Map<string, string> {
    let bucket = this.texts.get(name);
    if (!bucket) {
      bucket = new Map();
      this.texts.set(name, bucket);
    }
    return bucket;
  }

  put(record: DiscoveryRecord): void {
    const { bucket, key } = placeOf(record);
    if (this.bucket(bucket).has(key)) throw new DiscoveryError(`${bucket}/${key} is registered already`);
    const text = encodeRecord(record);
    this.bucket(bucket).set(key, text);
    for (const watcher of this.watchers)
      if (watcher.bucket === bucket && isBelow(key, watcher.prefix)) watcher.records.add(key, text);
  }

  delete(record: DiscoveryRecord): void {
    const { bucket, key } = placeOf(record);
    if (!this.bucket(bucket).delete(key)) return;
    for (const watcher of this.watchers) if (watcher.bucket === bucket) watcher.records.remove(key);
  }

  watch(bucket: Bucket, prefix: string, listener: RecordListener): Watch {
    const watcher = { bucket, prefix, records: new RecordSet(listener) };
    this.watchers.add(watcher);
    for (const [key, text] of this.bucket(bucket)) if (isBelow(key, prefix)) watcher.records.add(key, text);
    return { close: async () => void this.watchers.delete(watcher) };
  }
}

export class MemoryRegistry implements Registry {
  private readonly owned: DiscoveryRecord[] = [];

  constructor(
    private readonly store: MemoryStore,
    readonly instanceId: bigint,
  ) {}

  async register(record: DiscoveryRecord): Promise<void> {
    this.store.put(record);
    this.owned.push(record);
  }

  async unregister(record: DiscoveryRecord): Promise<void> {
    this.store.delete(record);
  }

  async watch(bucket: Bucket, prefix: string, listener: RecordListener): Promise<Watch> {
    return this.store.watch(bucket, prefix, listener);
  }

  async close(): Promise<void> {
    for (const record of this.owned.splice(0)) this.store.delete(record);
  }
}
