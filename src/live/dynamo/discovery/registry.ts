import type { Bucket, DiscoveryRecord } from './records.js';

/** Hears of records that come and go; the key is that of the record in its bucket. */
export interface RecordListener {
  added(key: string, record: DiscoveryRecord): void;
  removed(key: string): void;
}

export interface Watch {
  close(): Promise<void>;
}

/** Where the members of a deployment find each other. A registry belongs to one member, and its records go with it. */
export interface Registry {
  /** The number of this member: instance and worker id. */
  readonly instanceId: bigint;
  /** Adds a record. @throws {DiscoveryError} when there is another one with its key */
  register(record: DiscoveryRecord): Promise<void>;
  unregister(record: DiscoveryRecord): Promise<void>;
  /**
   * Tells of the records in a bucket whose keys begin with a path: of those that are there before the promise is
   * fulfilled, of others as they come.
   * @param prefix '' for all, else whole segments of the key
   */
  watch(bucket: Bucket, prefix: string, listener: RecordListener): Promise<Watch>;
  /** Takes back what was registered. */
  close(): Promise<void>;
}

/** Discovery cannot do what was asked of it. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
}

/** Whether a key lies below a path. */
export function isBelow(key: string, prefix: string): boolean {
  return prefix === '' || key === prefix || key.startsWith(`${prefix}/`);
}
