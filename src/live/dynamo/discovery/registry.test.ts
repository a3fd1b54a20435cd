import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WallClock } from '../../clock.js';
import { FileRegistry } from './file-registry.js';
import { MemoryRegistry, MemoryStore } from './memory-registry.js';
import { BUCKETS, type DiscoveryRecord } from './records.js';
import type { Registry } from './registry.js';

const record = (instanceId: bigint, endpoint = 'generate'): DiscoveryRecord => ({
  type: 'Endpoint',
  instance: {
    namespace: 'dynamo',
    component: 'back-end_1',
    endpoint,
    instanceId,
    transport: { kind: 'tcp', address: `127.0.0.1:1/${instanceId.toString(16)}/${endpoint}` },
    codec: 'msgpack',
  },
});

class Heard {
  readonly keys = new Set<string>();
  added = (key: string): void => void this.keys.add(key);
  removed = (key: string): void => void this.keys.delete(key);
}

const BACKENDS: [string, () => (instanceId: bigint) => Registry][] = [
  [
    'memory',
    () => {
      const store = new MemoryStore();
      return (id) => new MemoryRegistry(store, id);
    },
  ],
  [
    'files',
    () => {
      const root = mkdtempSync(join(tmpdir(), 'dynosim-discovery-'));
      folders.push(root);
      return (id) => new FileRegistry(root, id, new WallClock());
    },
  ],
];

const folders: string[] = [];
const open: Registry[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe.each(BACKENDS)('a registry in %s', (_, backend) => {
  const members = (): [Registry, Registry] => {
    const make = backend();
    const pair: [Registry, Registry] = [make(14108535875771164847n), make(2n)];
    open.push(...pair);
    return pair;
  };

  it('tells of records that are there, that come and that go', async () => {
    const [worker, frontend] = members();
    await worker.register(record(worker.instanceId));
    const heard = new Heard();
    await frontend.watch(BUCKETS.instances, 'dynamo/back-end_1', heard);
    expect(heard.keys.size).toBe(1);
    await worker.register(record(worker.instanceId, 'other'));
    await vi.waitFor(() => expect(heard.keys.size).toBe(2));
    await worker.unregister(record(worker.instanceId));
    await vi.waitFor(() => expect(heard.keys.size).toBe(1));
  });

  it('takes its records with it', async () => {
    const [worker, frontend] = members();
    const heard = new Heard();
    await frontend.watch(BUCKETS.instances, '', heard);
    await worker.register(record(1n));
    await vi.waitFor(() => expect(heard.keys.size).toBe(1));
    await worker.close();
    await vi.waitFor(() => expect(heard.keys.size).toBe(0));
  });

  it('matches whole segments of keys', async () => {
    const [worker, frontend] = members();
    const heard = new Heard();
    await worker.register(record(1n));
    await frontend.watch(BUCKETS.instances, 'dynamo/back', heard);
    expect(heard.keys.size).toBe(0);
  });

  it('refuses a second record with the same key', async () => {
    const [worker, other] = members();
    await worker.register(record(1n));
    await expect(other.register(record(1n))).rejects.toThrow('registered already');
  });
});

describe('files', () => {
  const setUp = () => {
    const root = mkdtempSync(join(tmpdir(), 'dynosim-discovery-'));
    folders.push(root);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const time = { unixMs: Date.now() };
    const registry = new FileRegistry(root, 1n, time);
    open.push(registry);
    return { folder: join(root, BUCKETS.instances), time, registry };
  };
  afterEach(() => void vi.useRealTimers());

  it('of members that no longer touch them are deleted', async () => {
    const { folder, time, registry } = setUp();
    await registry.register(record(1n));
    writeFileSync(join(folder, 'gone'), '{}');
    utimesSync(join(folder, 'gone'), time.unixMs / 1000 - 11, time.unixMs / 1000 - 11);
    vi.advanceTimersByTime(4000);
    await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(1));
  });

  it('that somebody deleted while this process slept are made anew', async () => {
    const { folder, registry } = setUp();
    await registry.register(record(1n));
    rmSync(join(folder, readdirSync(folder)[0]));
    vi.advanceTimersByTime(4000);
    await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(1));
  });

  it('that are half-written or foreign are passed over', async () => {
    const { folder, registry } = setUp();
    const heard = new Heard();
    await registry.watch(BUCKETS.instances, '', heard);
    writeFileSync(join(folder, '.tmp_00'), 'x');
    writeFileSync(join(folder, 'x'), '{"type":"Endp');
    await registry.register(record(1n));
    await vi.waitFor(() => expect(heard.keys.size).toBe(1));
  });
});
