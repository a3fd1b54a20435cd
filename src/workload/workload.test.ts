import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type GenerateOptions, generateTrace, replay } from '../index.js';
import { ReadyHeap } from './ready-heap.js';
import { SessionIds } from './session-ids.js';
import { TextFile } from './text-file.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-workload-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const MADE: GenerateOptions = {
  requests: 300,
  seed: 3n,
  sessionsPerSecond: 2,
  meanTurns: 3,
  inputTokens: 500,
  outputTokens: 60,
  spread: { kind: 'lognormal', sigma: 0.7 },
  thinkTimeMs: 3000,
  sharedPrefixTokens: 1024,
  prefixGroups: 4,
  blockTokens: 512,
  maxContextTokens: 16384,
};

describe('generated traces', () => {
  const rows = [...generateTrace(MADE)];
  const parsed = rows.map((row) => JSON.parse(row));

  it('are the same bytes for the same options and others for another seed', () => {
    expect([...generateTrace(MADE)]).toEqual(rows);
    expect([...generateTrace({ ...MADE, seed: 4n })]).not.toEqual(rows);
  });

  it('hold what was asked for, in order of time, each context a continuation of the one before', () => {
    expect(rows).toHaveLength(300);
    const contexts = new Map<string, number[]>();
    parsed.forEach((row, index) => {
      if (index > 0) expect(row.timestamp).toBeGreaterThanOrEqual(parsed[index - 1].timestamp);
      expect(row.hash_ids).toHaveLength(Math.ceil(row.input_length / 512));
      const before = contexts.get(row.session_id) ?? [];
      expect(row.hash_ids.slice(0, before.length)).toEqual(before);
      contexts.set(row.session_id, row.hash_ids);
    });
    expect(new Set(parsed.map((row) => row.hash_ids[0])).size).toBe(4);
  });

  it('begin more sessions in bursts, so many times more, and none other elsewhere', () => {
    const bursts = { factor: 5, seconds: 60, everySeconds: 300 };
    const made = [...generateTrace({ ...MADE, requests: 20_000, meanTurns: 1, bursts })];
    const times = made.map((row) => JSON.parse(row).timestamp / 1000);
    const whole = times.filter((seconds) => seconds < Math.floor(times[times.length - 1] / 300) * 300);
    const inBurst = whole.filter((seconds) => seconds % 300 >= 240).length;
    // 60 s of 5 times the rate against 240 s.
    expect(inBurst / whole.length).toBeCloseTo(300 / 540, 1);
    const quiet = { ...bursts, factor: 1 };
    expect([...generateTrace({ ...MADE, bursts: quiet })]).toEqual(rows);
  });

  it('replay from plain and gzip files, with and without a final newline, to one report', async () => {
    const text = rows.join('\n');
    const paths = [
      write('plain.jsonl', text),
      write('newline.jsonl', `${text}\n`),
      write('crlf.jsonl', rows.join('\r\n')),
      write('packed.jsonl', gzipSync(text)),
      write(
        'members.jsonl',
        Buffer.concat([gzipSync(`${rows.slice(0, 100).join('\n')}\n`), gzipSync(rows.slice(100).join('\n'))]),
      ),
    ];
    const reports = await Promise.all(paths.map((path) => replay({ traceFiles: [path], numWorkers: 2 })));
    const [first] = reports;
    expect(first.report.completed_requests).toBe(300);
    expect(first.report.total_output_tokens).toBe(parsed.reduce((sum, row) => sum + row.output_length, 0));
    for (const { report } of reports)
      expect(report.mean_e2e_latency_ms).toBe(first.report.mean_e2e_latency_ms);
  });
});

describe('text files', () => {
  it('give the same lines forward and at offsets, whatever their length', async () => {
    const lines = Array.from({ length: 4000 }, (_, i) => `${i}:${'x'.repeat((i * 7919) % 1500)}`);
    lines.splice(2000, 0, 'y'.repeat(3_000_000));
    const file = await TextFile.open(write('lines.txt', lines.join('\n')));
    const offsets: number[] = [];
    const read: string[] = [];
    const current = () => file.bytes.subarray(file.start, file.end).toString();
    while (file.next()) {
      offsets.push(file.offset);
      read.push(current());
    }
    expect(read).toEqual(lines);
    for (const index of [3999, 0, 2000, 1, 4000, 2500]) {
      file.readAt(offsets[index]);
      expect(current()).toBe(lines[index]);
    }
    file.close();
  });
});

describe('session ids', () => {
  it('number names by first appearance', () => {
    const ids = new SessionIds();
    const names = Array.from({ length: 5000 }, (_, i) => `session ${i % 1700}`);
    let fresh = 0;
    names.forEach((name, i) => {
      const id = ids.intern(name, fresh);
      if (id === fresh) fresh++;
      expect(id).toBe(i % 1700);
    });
  });
});

describe('ready heap', () => {
  it('orders by time, then by session', () => {
    const heap = new ReadyHeap();
    const entries = Array.from({ length: 300 }, (_, i) => ({
      time: (i * 37) % 11,
      session: (i * 101) % 300,
    }));
    for (const { time, session } of entries) heap.push(time, session, session, 0);
    const popped: { time: number; session: number }[] = [];
    while (heap.size > 0) {
      popped.push({ time: heap.timeMs, session: heap.session });
      heap.pop();
    }
    expect(popped).toEqual(entries.sort((a, b) => a.time - b.time || a.session - b.session));
  });
});
