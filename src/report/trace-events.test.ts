import { describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';
import type { Pictures } from './picture-types.js';
import { traceEvents } from './trace-events.js';

interface Event {
  ph: string;
  name: string;
  pid: number;
  tid: number;
  ts: number;
  dur: number;
  args: Record<string, number>;
}

const LOAD: ReplayOptions = { inputTokens: 600, outputTokens: 30, requestCount: 80, requestRate: 20 };
const stage = (worker_type: string) => JSON.stringify({ worker_type, num_gpu_blocks: 400 });

describe.each<[string, ReplayOptions]>([
  ['one worker', {}],
  ['three workers', { numWorkers: 3 }],
  ['workers with two ranks', { numWorkers: 2, extraEngineArgs: '{"dp_size":2}' }],
  ['stages', { prefillEngineArgs: stage('prefill'), decodeEngineArgs: stage('decode'), numDecodeWorkers: 2 }],
])('trace events of %s', (_, fleet) => {
  async function eventsOf(): Promise<{ events: Event[]; pictures: Pictures; e2eMs: number[] }> {
    const { records, report } = await replay({ ...LOAD, ...fleet, records: 'all', pictures: true });
    const pictures = report.pictures as Pictures;
    const text = [...traceEvents(records, pictures.pools)].join('');
    const e2eMs = records.map(({ arrivalMs, lastTokenMs }) => lastTokenMs - arrivalMs);
    return { events: JSON.parse(text).traceEvents, pictures, e2eMs };
  }

  it('have each request once, as long as its latency, made of its parts', async () => {
    const { events, e2eMs } = await eventsOf();
    const slices = events.filter(({ ph }) => ph === 'X');
    const requests = slices.filter(({ name }) => name.startsWith('request '));
    expect(requests).toHaveLength(80);
    requests.forEach(({ dur }, index) => {
      expect(Math.abs(dur / 1000 - e2eMs[index])).toBeLessThan(0.002);
    });
    const parts = slices.filter(({ name }) => !name.startsWith('request '));
    const sum = (some: Event[]) => some.reduce((total, { dur }) => total + dur, 0);
    expect(sum(parts)).toBe(sum(requests));
  });

  it('nest on their threads', async () => {
    const { events } = await eventsOf();
    const threads = new Map<string, Event[]>();
    for (const event of events.filter(({ ph }) => ph === 'X')) {
      const key = `${event.pid} ${event.tid}`;
      threads.set(key, [...(threads.get(key) ?? []), event]);
    }
    for (const thread of threads.values()) {
      const open: number[] = [];
      for (const { ts, dur } of thread) {
        while (open.length > 0 && open[open.length - 1] <= ts) open.pop();
        if (open.length > 0) expect(ts + dur).toBeLessThanOrEqual(open[open.length - 1]);
        open.push(ts + dur);
      }
    }
  });

  it('count what the workers do, each in a process with a name', async () => {
    const { events, pictures } = await eventsOf();
    const workers = pictures.pools.reduce((sum, pool) => sum + pool.workers.length, 0);
    const names = events.filter(({ name }) => name === 'process_name').map(({ pid }) => pid);
    expect(new Set(names).size).toBe(workers + 1);
    for (const { pid } of events) expect(names).toContain(pid);
    const running = events.filter(({ ph, name }) => ph === 'C' && name === 'requests');
    expect(Math.max(...running.map(({ args }) => args.running))).toBe(
      Math.max(...pictures.pools.flatMap((pool) => pool.workers.flatMap((worker) => worker.running))),
    );
  });
});
