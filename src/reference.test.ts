import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  prepareCase,
  type ReferenceCase,
  recordDifferences,
  reportDifferences,
} from './testing/reference-cases.js';
import { runCli } from './testing/run-cli.js';

const OWN_CASES = fileURLToPath(new URL('./testing/cases', import.meta.url));
const ALL_CASES = fileURLToPath(new URL('../../shared/reference', import.meta.url));
process.env.DYNOSIM_AIC_SYSTEMS ??= fileURLToPath(new URL('../../shared/aic-systems', import.meta.url));
/** Cases of versions whose tables are not beside the stored answers. */
const OTHER_TABLES = ['aic-sglang-explicit-blocks', 'aic-sglang-estimated-blocks'];
/** Ties between workers in different states, which the reference decided at random, and a seed that decides them so. */
const SEED_OF: Record<string, string> = {
  'disagg-2p2d-kv': '1',
  'kv-router-4-page1': '0',
  disagg_kv_router: '1',
};
/** Cases whose answer needs a part of the program that does not exist yet. */
const NOT_YET = /is not available yet/;
/** Areas of the full collection that the replay of aggregated fleets covers. */
const AREAS = ['vllm', 'sglang', 'router', 'run', 'runtime', 'kvbm', 'aic', 'planner'];
/** The reference ignores per-request records of dependent requests; we write them. */
const BETTER = ['agentic-jsonl-ignored'];

type Row = Record<string, unknown>;

function readRecords(path: string): Row[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

/** The parts of each latency add up to it, to the last bit. */
function checkParts(records: readonly Row[]): void {
  for (const { e2e_latency_ms, latency_parts_ms } of records) {
    const parts = Object.values((latency_parts_ms ?? {}) as Record<string, number>);
    expect(parts.reduce((sum, ms) => sum + ms, 0)).toBe(e2e_latency_ms ?? 0);
    expect(Math.min(0, ...parts)).toBe(0);
  }
}

/** @param skip leaves out a case that needs a part of the program that does not exist yet, so that it does not count as passed */
async function checkCase(path: string, skip: (reason: string) => void): Promise<void> {
  const test = JSON.parse(readFileSync(path, 'utf8')) as ReferenceCase;
  const { args, folder, remove } = prepareCase(test);
  try {
    const reportPath = join(folder, 'report.json');
    const recordsPath = join(folder, 'records.jsonl');
    const allPath = join(folder, 'all.jsonl');
    const outputs = [
      '--report-json',
      reportPath,
      '--records',
      allPath,
      ...(test.per_request_records ? ['--report-jsonl', recordsPath] : []),
    ];
    const seed = SEED_OF[test.name];
    const draws = seed === undefined ? [] : ['--router-seed', seed];
    const result = await runCli(['replay', ...args, ...draws, ...outputs], folder);
    if (NOT_YET.test(result.stderr)) return skip(result.stderr.trim());
    if (test.exit !== 0) {
      expect(result.exitCode).toBeGreaterThan(0);
      expect(result.stderr.trim().split('\n')).toHaveLength(1);
      expect(existsSync(reportPath)).toBe(false);
      return;
    }
    expect(result.stderr.replace(/.*warning.*\n/g, '')).toBe('');
    checkParts(readRecords(allPath));
    if (test.stable === false) return;
    expect(reportDifferences(test.report!, JSON.parse(readFileSync(reportPath, 'utf8')))).toEqual([]);
    if (test.scaling_events)
      expect(JSON.parse(readFileSync(reportPath, 'utf8')).scaling_events).toEqual(test.scaling_events);
    if (!test.per_request_records) return;
    const records = existsSync(recordsPath) ? readRecords(recordsPath) : [];
    const renames = args.includes('kv_router') && !test.seeded;
    expect(recordDifferences(test.per_request_records, records, renames)).toEqual([]);
  } finally {
    remove();
  }
}

describe('stored answers of the reference', () => {
  const files = readdirSync(OWN_CASES).filter((file) => file.endsWith('.json'));
  it.concurrent.for(files)('%s', (file, { skip }) => checkCase(join(OWN_CASES, file), skip));
});

describe.skipIf(!existsSync(ALL_CASES))('all stored answers of the reference', () => {
  for (const area of existsSync(ALL_CASES) ? AREAS : []) {
    const files = readdirSync(join(ALL_CASES, area)).filter(
      (file) => file.endsWith('.json') && ![...BETTER, ...OTHER_TABLES].includes(file.replace('.json', '')),
    );
    const isSelfContained = (file: string) => {
      const text = readFileSync(join(ALL_CASES, area, file), 'utf8');
      return !text.includes('@traces/') && 'exit' in JSON.parse(text);
    };
    it.concurrent.for(files.filter(isSelfContained))(`${area}/%s`, (file, { skip }) =>
      checkCase(join(ALL_CASES, area, file), skip),
    );
  }
});
