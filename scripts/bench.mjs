#!/usr/bin/env node
// Times dynosim, and the reference beside it where it is installed, and prints the ratios.
//
//   npm run bench -- [--reference PYTHON] [--semantics dynamo-1.6] [--runs N] [--trace FILE] [--scale]
//
// Runs alternate, so that both see the same machine. `simulation` is `wall_time_ms` of the reports, `process` is from
// start to exit; each is the minimum over the runs. The trace cases need a Mooncake conversation trace.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const program = fileURLToPath(new URL('../bin/dynosim.js', import.meta.url));
const example = fileURLToPath(new URL('../examples/chat.jsonl', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    reference: { type: 'string', default: process.env.DYNOSIM_REFERENCE ?? '' },
    semantics: { type: 'string', default: 'dynamo-1.4.2' },
    runs: { type: 'string', default: '5' },
    trace: {
      type: 'string',
      default: fileURLToPath(new URL('../../shared/traces/mooncake_conversation.jsonl', import.meta.url)),
    },
    scale: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'dynosim-bench-'));
const reportPath = join(folder, 'report.json');

const synthetic = ['--input-tokens', '2048', '--output-tokens', '256', '--request-count', '20000'];
const cases = [
  [
    'conversation, block 512, 8 workers',
    [flags.trace, '--extra-engine-args', '{"block_size":512}', '--num-workers', '8'],
  ],
  [
    'synthetic 2048/256, 256 in flight, 4 workers',
    [...synthetic, '--replay-concurrency', '256', '--num-workers', '4'],
  ],
  [
    'conversation, 2,400 blocks of 64, 8 workers',
    [flags.trace, '--extra-engine-args', '{"block_size":64,"num_gpu_blocks":2400}', '--num-workers', '8'],
  ],
  [
    'conversation, KV router, block 512, 8 workers',
    [
      flags.trace,
      '--extra-engine-args',
      '{"block_size":512}',
      '--num-workers',
      '8',
      '--router-mode',
      'kv_router',
    ],
  ],
  [
    'conversation, 4 prefill + 4 decode, KV router',
    [
      flags.trace,
      '--prefill-engine-args',
      '{"block_size":512,"worker_type":"prefill"}',
      '--decode-engine-args',
      '{"block_size":512,"worker_type":"decode"}',
      '--num-prefill-workers',
      '4',
      '--num-decode-workers',
      '4',
      '--router-mode',
      'kv_router',
    ],
  ],
  [
    'conversation, SGLang pages of 64, 8 workers',
    [flags.trace, '--extra-engine-args', '{"engine_type":"sglang","block_size":64}', '--num-workers', '8'],
  ],
  ['bundled example, 4 workers', [example, '--num-workers', '4']],
].filter(([, [file]]) => file.startsWith('--') || existsSync(file));

function run(command, args) {
  rmSync(reportPath, { force: true });
  const started = performance.now();
  const { status, stderr } = spawnSync(command, [...args, '--report-json', reportPath], {
    env: { ...process.env, DYN_LOG: 'error' },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const { wall_time_ms: simulation } = JSON.parse(readFileSync(reportPath, 'utf8'));
  return { simulation, process: performance.now() - started };
}

/** Since release 1.6 the reference has functions, and no command for what they do. */
function runReference(args) {
  if (flags.semantics === 'dynamo-1.4.2') return run(flags.reference, ['-m', 'dynamo.replay', ...args]);
  const server = fileURLToPath(new URL('reference-server.py', import.meta.url));
  const started = performance.now();
  const { stdout } = spawnSync(flags.reference, [server], { input: requestOf(args), encoding: 'utf8' });
  const { report, error } = JSON.parse(stdout);
  if (error) throw new Error(error);
  return { simulation: report.wall_time_ms, process: performance.now() - started };
}

/** Flags of the command as the functions take them. */
function requestOf(args) {
  const isTrace = !args[0].startsWith('--');
  const pairs = args.slice(isTrace ? 1 : 0);
  const options = {};
  for (let i = 0; i < pairs.length; i += 2) {
    const value = pairs[i + 1];
    options[pairs[i].slice(2).replaceAll('-', '_')] = /^[0-9.]+$/.test(value) ? Number(value) : value;
  }
  if (isTrace) return JSON.stringify({ trace_file: args[0], options });
  const { input_tokens, output_tokens, request_count, ...others } = options;
  return JSON.stringify({ lengths: [input_tokens, output_tokens, request_count], options: others });
}

function best(times) {
  const least = (name) => Math.min(...times.map((time) => time[name]));
  return { simulation: least('simulation'), process: least('process') };
}

const number = (value) => value.toFixed(value < 100 ? 1 : 0).padStart(8);
const ratio = (theirs, ours) =>
  theirs === undefined ? '       -' : `${(theirs / ours).toFixed(1)}x`.padStart(8);

function compare() {
  console.log(`${''.padEnd(46)}  simulation (ms)             process (ms)`);
  console.log(`${''.padEnd(46)}    ours reference   ratio      ours reference   ratio`);
  for (const [name, args] of cases) {
    const ours = [];
    const theirs = [];
    for (let i = 0; i < Number(flags.runs); i++) {
      const rules = ['--semantics', flags.semantics, '--no-advise'];
      ours.push(run(process.execPath, [program, 'replay', ...args, ...rules]));
      if (flags.reference) theirs.push(runReference(args));
    }
    const a = best(ours);
    const b = theirs.length > 0 ? best(theirs) : undefined;
    const part = (key) => `${number(a[key])}  ${b ? number(b[key]) : '       -'}${ratio(b?.[key], a[key])}`;
    console.log(`${name.padEnd(46)}${part('simulation')}  ${part('process')}`);
  }
}

/** The best of the later runs of a trace in one process. */
function warmMs(trace) {
  const library = new URL('../dist/index.js', import.meta.url);
  const runs =
    'const times = []; for (let i = 0; i < 4; i++) times.push((await replay(options)).report.wall_time_ms);';
  const code = `import { replay } from '${library}'; const options = { traceFiles: ['${trace}'], numWorkers: 16 };
    ${runs} console.log(Math.min(...times.slice(1)));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  return Number(stdout);
}

/**
 * Requests per second of simulation, and resident memory, from ten thousand requests to a million. A process that has
 * just started runs unoptimised code, which a small run never leaves; `warm` is the rate in a process that has made a
 * run of the same kind before.
 */
function scale() {
  console.log('\nrequests   simulated/s    warm/s   peak MiB');
  for (const requests of [1e4, 1e5, 1e6]) {
    const trace = join(folder, 'scale.jsonl');
    const options = ['--rate', '20', '--turns', '3', '--force', '--output', trace];
    spawnSync(process.execPath, [program, 'trace', 'generate', '--requests', String(requests), ...options]);
    const args = [
      '-v',
      process.execPath,
      program,
      'replay',
      trace,
      '--num-workers',
      '16',
      '--quiet',
      '--no-advise',
      '--force',
      '--report-json',
      reportPath,
    ];
    const { stderr } = spawnSync('/usr/bin/time', args, { encoding: 'utf8' });
    const { wall_time_ms: ms } = JSON.parse(readFileSync(reportPath, 'utf8'));
    const warm = warmMs(trace);
    const kib = Number(/Maximum resident set size.*: (\d+)/.exec(stderr)?.[1]);
    console.log(
      `${String(requests).padStart(8)}${Math.round((requests / ms) * 1000)
        .toLocaleString()
        .padStart(14)}${Math.round((requests / warm) * 1000)
        .toLocaleString()
        .padStart(10)}${Math.round(kib / 1024)
        .toString()
        .padStart(11)}`,
    );
  }
}

try {
  compare();
  if (flags.scale) scale();
} finally {
  rmSync(folder, { recursive: true });
}
