import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileNameOf, keyOfFile } from './names.js';
import { RecordSet } from './record-set.js';
import { type Bucket, type DiscoveryRecord, encodeRecord, placeOf } from './records.js';
import { DiscoveryError, isBelow, type RecordListener, type Registry, type Watch } from './registry.js';

/** A file that nobody has touched for so long belongs to a member that is gone. */
const TTL_MS = 10_000;
const KEEP_ALIVE_MS = TTL_MS / 3;
const TEMPORARY = '.tmp_';

/** The time of files, in milliseconds since 1970, as the machine's clock has it. */
export interface FileTime {
  readonly unixMs: number;
}

/**
 * Records as files in a shared folder. A member touches its files every few seconds, and everybody deletes those of
 * members that no longer do.
 */
export class FileRegistry implements Registry {
  private readonly owned = new Map<string, string>();
  private readonly folders = new Set<string>();
  private readonly views = new Set<FolderView>();
  private readonly timer: NodeJS.Timeout;
  private keeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: string,
    readonly instanceId: bigint,
    private readonly time: FileTime,
  ) {
    this.timer = setInterval(() => {
      this.keeping = this.keepAlive();
    }, KEEP_ALIVE_MS);
  }

  private async folder(bucket: Bucket): Promise<string> {
    const folder = join(this.root, bucket);
    if (!this.folders.has(folder)) {
      await mkdir(folder, { recursive: true });
      this.folders.add(folder);
    }
    return folder;
  }

  async register(record: DiscoveryRecord): Promise<void> {
    const { bucket, key } = placeOf(record);
    const path = join(await this.folder(bucket), fileNameOf(key));
    const text = encodeRecord(record);
    await create(path, text).catch((error) => {
      throw error.code === 'EEXIST' ? new DiscoveryError(`${bucket}/${key} is registered already`) : error;
    });
    this.owned.set(path, text);
  }

  async unregister(record: DiscoveryRecord): Promise<void> {
    const { bucket, key } = placeOf(record);
    const path = join(await this.folder(bucket), fileNameOf(key));
    this.owned.delete(path);
    await rm(path, { force: true });
  }

  /** Touches own files, makes those anew that somebody deleted while this process slept, and deletes stale ones. */
  private async keepAlive(): Promise<void> {
    const seconds = this.time.unixMs / 1000;
    for (const [path, text] of this.owned)
      await utimes(path, seconds, seconds).catch(() =>
        this.owned.has(path) ? create(path, text).catch(() => {}) : undefined,
      );
    for (const folder of this.folders)
      for (const name of await readdir(folder).catch(() => [])) {
        const path = join(folder, name);
        if (this.owned.has(path)) continue;
        const found = await stat(path).catch(() => undefined);
        if (found && found.mtimeMs < this.time.unixMs - TTL_MS) await rm(path, { force: true });
      }
    for (const view of this.views) view.look();
  }

  async watch(bucket: Bucket, prefix: string, listener: RecordListener): Promise<Watch> {
    const view = new FolderView(await this.folder(bucket), prefix, new RecordSet(listener));
    this.views.add(view);
    await view.look();
    return {
      close: async () => {
        this.views.delete(view);
        await view.close();
      },
    };
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.keeping;
    const paths = [...this.owned.keys()];
    this.owned.clear();
    await Promise.all(paths.map((path) => rm(path, { force: true })));
    await Promise.all([...this.views].map((view) => view.close()));
  }
}

/** Creates a file that nobody ever sees half-written. */
async function create(path: string, text: string): Promise<void> {
  const temporary = join(path, '..', TEMPORARY + randomBytes(8).toString('hex'));
  await writeFile(temporary, text);
  try {
    await link(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What a folder holds, looked at again whenever something in it may have changed. */
class FolderView {
  private readonly watcher: FSWatcher;
  private looking: Promise<void> | undefined;
  private mustLookAgain = false;
  private isClosed = false;

  constructor(
    private readonly folder: string,
    private readonly prefix: string,
    private readonly records: RecordSet,
  ) {
    this.watcher = watchFolder(folder, () => void this.look());
    this.watcher.on('error', () => {});
  }

  /** @returns when a look that began after this call is done */
  async look(): Promise<void> {
    this.mustLookAgain = true;
    this.looking ??= this.lookUntilQuiet();
    await this.looking;
  }

  private async lookUntilQuiet(): Promise<void> {
    while (this.mustLookAgain && !this.isClosed) {
      this.mustLookAgain = false;
      await this.lookOnce();
    }
    this.looking = undefined;
  }

  private async lookOnce(): Promise<void> {
    const names = await readdir(this.folder).catch(() => []);
    const present = new Map<string, string>();
    for (const name of names) {
      const key = name.startsWith(TEMPORARY) ? undefined : keyOfFile(name);
      if (key !== undefined && isBelow(key, this.prefix)) present.set(key, name);
    }
    for (const key of [...this.records.keys]) if (!present.has(key)) this.records.remove(key);
    for (const [key, name] of present) {
      if (this.records.has(key)) continue;
      const text = await readFile(join(this.folder, name), 'utf8').catch(() => undefined);
      if (text !== undefined && !this.isClosed) this.records.add(key, text);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.watcher.close();
    await this.looking;
  }
}
