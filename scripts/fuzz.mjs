#!/usr/bin/env node
// Differential fuzzing: random traces and engines through the reference and through dynosim, compared number by number.
//
//   npm run fuzz -- --reference PYTHON [--semantics dynamo-1.6] [--seconds N] [--seed N]
//
// PYTHON is an interpreter that can import `dynamo.replay`, of the release whose semantics are named. Stops at the first difference, shrunk to few rows, and
// exits 1; exits 0 when none was found in the time given.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { recordJson, replay } from '../dist/index.js';
import { makeCase } from './fuzz-cases.mjs';

const { values: flags } = parseArgs({
  options: {
    reference: { type: 'string', default: process.env.DYNOSIM_REFERENCE ?? 'python3' },
    semantics: { type: 'string', default: 'dynamo-1.4.2' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});

const SKETCHED = /^(median|p75|p90|p95|p99)_(itl_ms|output_token_throughput_per_user)$/;
const HOST_TIME = /^(wall_time_ms|processed_.*_per_s)$/;
const folder = mkdtempSync(join(tmpdir(), 'dynosim-fuzz-'));
const tracePath = join(folder, 'trace.jsonl');
const recordsPath = join(folder, 'records.jsonl');

class Reference {
  constructor() {
    this.start();
  }

  start() {
    const server = new URL('reference-server.py', import.meta.url).pathname;
    this.process = spawn(flags.reference, [server], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 20_000);
    const { value, done } = await this.lines.next();
    clearTimeout(timer);
    if (!done) return JSON.parse(value);
    this.start();
    return { gone: true };
  }
}

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

async function runReference(reference, test) {
  rmSync(recordsPath, { force: true });
  const options = Object.fromEntries(
    Object.entries(test.options).map(([name, value]) => [snake(name), value]),
  );
  const request = { options };
  for (const [name, engine] of Object.entries(test.engines)) options[snake(name)] = JSON.stringify(engine);
  if (test.router) options.router_config = JSON.stringify(test.router);
  if (options.max_sim_time_seconds !== undefined) {
    options.max_sim_time_ms = options.max_sim_time_seconds * 1000;
    delete options.max_sim_time_seconds;
  }
  if (test.rows) {
    request.trace_file = tracePath;
    options.report_jsonl_path = recordsPath;
  } else {
    request.lengths = [options.input_tokens, options.output_tokens, options.request_count];
    for (const name of ['input_tokens', 'output_tokens', 'request_count']) delete options[name];
  }
  const answer = await reference.ask(request);
  const hasRecords = test.rows && answer.report && existsSync(recordsPath);
  const lines = hasRecords ? readFileSync(recordsPath, 'utf8').split('\n') : [];
  return { ...answer, records: sorted(lines, test) };
}

async function runOurs(test, check, routerSeed) {
  const { semantics } = flags;
  const options = { ...test.options, semantics, check, records: 'ended', routerSeed };
  for (const [name, engine] of Object.entries(test.engines)) options[name] = JSON.stringify(engine);
  if (test.router) options.routerConfig = JSON.stringify(test.router);
  if (test.rows) options.traceFiles = [tracePath];
  try {
    const { report, records } = await replay(options);
    return { report, records: test.rows ? sorted(records.map(recordJson), test) : [] };
  } catch (error) {
    return { error: error.message, isBug: error.name !== 'InputError' && error.name !== 'RunError' };
  }
}

/** Which of two equal workers the KV router takes first is left to chance. */
const WORKER_NAMES = ['prefill_worker_idx', 'decode_worker_idx'];

/** Records without ids, equal arrivals in an order that does not depend on them. */
function sorted(lines, { router }) {
  const records = lines.filter(Boolean).map((line) => JSON.parse(line));
  const left = ['uuid', 'preemptions', ...(router ? [...WORKER_NAMES, 'routing_history'] : [])];
  for (const record of records) for (const name of left) delete record[name];
  const content = (record) =>
    Object.keys(record)
      .sort()
      .map((key) =>
        typeof record[key] === 'number' ? record[key].toPrecision(10) : JSON.stringify(record[key]),
      )
      .join();
  const keyed = records.map((record) => ({ record, key: content(record) }));
  keyed.sort((a, b) => a.record.arrival_time_ms - b.record.arrival_time_ms || (a.key < b.key ? -1 : 1));
  return keyed.map(({ record }) => record);
}

function differs(key, expected, actual, scale) {
  if (typeof expected === 'object' && expected !== null && typeof actual === 'object' && actual !== null)
    return Object.keys(expected).some((inner) => differs(inner, expected[inner], actual[inner], 0));
  if (typeof expected !== 'number' || typeof actual !== 'number') return expected !== actual;
  const tolerance =
    (SKETCHED.test(key) ? 0.0021 : 1e-9) * Math.max(Math.abs(expected), Math.abs(actual), scale);
  return Math.abs(expected - actual) > tolerance + 1e-9;
}

const tally = { answered: 0, failed: 0, hung: 0, chance: 0 };

function compare(expected, actual) {
  tally[expected.gone ? 'hung' : expected.error ? 'failed' : 'answered']++;
  if (expected.gone) return undefined;
  if (actual.isBug) return `ours broke: ${actual.error}`;
  if (expected.error || actual.error) {
    if (expected.error && actual.error) return undefined;
    return `reference: ${expected.error ?? 'ok'}; ours: ${actual.error ?? 'ok'}`;
  }
  return compareRuns(expected, actual);
}

function compareRuns(expected, actual) {
  for (const [key, value] of Object.entries(expected.report)) {
    if (HOST_TIME.test(key)) continue;
    const scale = key.startsWith('std_') ? Math.abs(expected.report[key.replace('std_', 'mean_')]) : 0;
    if (differs(key, value, actual.report[key], scale))
      return `report.${key}: ${value}, ours ${actual.report[key]}`;
  }
  if (expected.records.length === 0) return undefined;
  if (expected.records.length !== actual.records.length)
    return `${expected.records.length} records, ours ${actual.records.length}`;
  for (const [index, record] of expected.records.entries())
    for (const [key, value] of Object.entries(record))
      if (differs(key, value, actual.records[index][key], 0))
        return `records[${index}].${key}: ${value}, ours ${actual.records[index][key]}`;
  return undefined;
}

/** Whether ties between workers in different states decide the outcome: it differs between seeds then. */
async function isLeftToChance(test, seeds) {
  if (!test.router) return false;
  const runs = [];
  for (let seed = 1n; seed <= seeds; seed++) runs.push(await runOurs(test, false, seed));
  const [first, ...others] = runs;
  if (first.error) return others.some(({ error }) => error !== first.error);
  return others.some((run) => run.error || compareRuns(first, run) !== undefined);
}

async function verdict(reference, test, check) {
  if (test.rows) writeFileSync(tracePath, test.rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  if (await isLeftToChance(test, 6n)) {
    tally.chance++;
    return undefined;
  }
  const expected = await runReference(reference, test);
  const problem = compare(expected, await runOurs(test, check));
  const isChance =
    problem && ((await isLeftToChance(test, 60n)) || (await repeatsDiffer(reference, test, expected)));
  return isChance ? undefined : problem;
}

/** Whether the reference answers differently when it is asked again. */
async function repeatsDiffer(reference, test, expected) {
  if (!test.router || !expected.report) return false;
  for (let i = 0; i < 8; i++) {
    const again = await runReference(reference, test);
    if (!again.report || compareRuns(expected, again) !== undefined) return true;
  }
  return false;
}

/** Drops rows and options while the two programs still differ. */
async function shrink(reference, test) {
  let best = test;
  let progress = true;
  const until = Date.now() + 120_000;
  while (progress) {
    progress = false;
    for (const smaller of smallerCases(best)) {
      if (Date.now() > until) return best;
      if (!(await verdict(reference, smaller, false))) continue;
      best = smaller;
      progress = true;
      break;
    }
  }
  return best;
}

function* smallerCases(test) {
  if (test.rows)
    for (let size = test.rows.length >> 1; size >= 1; size >>= 1)
      for (let from = 0; from + size <= test.rows.length; from += size)
        if (test.rows.length > size)
          yield { ...test, rows: test.rows.filter((_, i) => i < from || i >= from + size) };
  for (const [which, engine] of Object.entries(test.engines))
    for (const name of Object.keys(engine)) {
      const { [name]: _, ...rest } = engine;
      yield { ...test, engines: { ...test.engines, [which]: rest } };
    }
}

const reference = new Reference();
const started = Date.now();
let seed = Number(flags.seed);
let count = 0;
let found;
while (!found && Date.now() - started < Number(flags.seconds) * 1000) {
  const test = makeCase(seed++, flags.semantics);
  const problem = await verdict(reference, test, count % 4 === 0);
  count++;
  if (problem) found = { test, problem };
}
if (found) {
  const test = await shrink(reference, found.test);
  console.log(`seed ${seed - 1}: ${found.problem}`);
  console.log(`shrunk: ${await verdict(reference, test, false)}`);
  console.log(JSON.stringify({ engines: test.engines, router: test.router, options: test.options }));
  for (const row of test.rows ?? []) console.log(JSON.stringify(row));
} else {
  const { answered, failed, hung, chance } = tally;
  console.log(
    `${count} cases in ${flags.seconds} s, no difference (reference: ${answered} answered, ${failed} failed, ${hung} hung; ${chance} left to chance and not compared)`,
  );
}
reference.process.kill();
rmSync(folder, { recursive: true });
process.exitCode = found ? 1 : 0;
