#!/usr/bin/env node
// Compares timing with measured runs of real engines on real GPUs, and prints the errors.
//
//   npm run accuracy -- [--points FILE] [--timing roofline,aic] [--engine-blind] [--all] [--by model,gpu] [--out FILE]
//
// A point is one closed-loop (or constant-rate) run; accuracy/points.mjs says how it becomes a replay, and which points
// constants were fitted on. `--engine-blind` times every point as vLLM; `--all` takes points with several replicas, more
// than 256 in flight or more than 2,048 output tokens, too. AI Configurator tables come from DYNOSIM_AIC_SYSTEMS.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  aicOf,
  engineOf,
  isCommon,
  isExpertModel,
  isFitted,
  loadOf,
  modelOf,
  rooflineOf,
} from './accuracy/points.mjs';

const shared = (path) => fileURLToPath(new URL(`../../shared/${path}`, import.meta.url));
const { values: flags } = parseArgs({
  options: {
    points: { type: 'string', default: shared('measured/points.jsonl') },
    timing: { type: 'string', default: 'roofline,aic' },
    mixed: { type: 'string', default: '' },
    by: { type: 'string', default: 'engine,gpu,model,format,tp,load' },
    all: { type: 'boolean', default: false },
    'engine-blind': { type: 'boolean', default: false },
    out: { type: 'string', default: '' },
  },
});
if (!existsSync(flags.points)) {
  console.log(`No measured points at ${flags.points}; --points names a file of them.`);
  process.exit(0);
}
const { replay } = await import('../dist/replay.js');
const systems = process.env.DYNOSIM_AIC_SYSTEMS ?? shared('aic-systems');

const GROUPS = {
  engine: ({ engine }) => engine,
  gpu: ({ gpu }) => gpu,
  model: ({ model }) => model.split('/').at(-1),
  format: ({ precision, gemm }) => gemm ?? precision,
  tp: ({ tp }) => `tp ${tp}`,
  load: ({ concurrency: c }) =>
    c === undefined
      ? 'constant rate'
      : `${c <= 8 ? 'up to 8' : c <= 32 ? 'up to 32' : 'more than 32'} in flight`,
};

/** Simulates a point. @returns mean times in milliseconds, or why there are none */
async function simulate(point, how) {
  const engine = engineOf(point);
  if (how === 'roofline') {
    engine.timing = rooflineOf(point);
    if (flags.mixed !== '') engine.timing.mixed = flags.mixed;
    if (flags['engine-blind']) engine.engine_type = 'vllm';
  } else Object.assign(engine, aicOf(point, systems));
  try {
    const options = {
      ...loadOf(point),
      extraEngineArgs: JSON.stringify(engine),
      aicSystems: systems,
      beyondReference: true,
    };
    const { report } = await replay(options);
    return { tpot: report.mean_tpot_ms, ttft: report.mean_ttft_ms };
  } catch (error) {
    return { error: error.message };
  }
}

const percent = (value) => `${(100 * value).toFixed(1)} %`.padStart(9);
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];

/** A row of the table: how many, the median and 90th percentile of the errors' sizes, and their median. */
function row(name, errors) {
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  const bias = at(
    [...errors].sort((a, b) => a - b),
    0.5,
  );
  return `${name.padEnd(58)}${String(errors.length).padStart(6)}${percent(at(sizes, 0.5))}${percent(at(sizes, 0.9))}${percent(bias)}`;
}

function keysOf(point) {
  const kind = isExpertModel(point.model) ? 'experts' : 'dense';
  const split = isFitted(point) ? 'fitted' : 'judged';
  const keys = ['all', `${point.engine} ${kind}`, `${point.engine} ${kind}, ${split}`];
  for (const by of flags.by.split(',')) if (GROUPS[by]) keys.push(`${by}: ${GROUPS[by](point)}, ${kind}`);
  return keys;
}

const points = readFileSync(flags.points, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .filter((point) => flags.all || isCommon(point));
const known = points.filter((point) => modelOf(point) !== undefined);
console.log(
  `${known.length} points; ${points.length - known.length} more are of models that are not supported`,
);
const results = known.map((point) => ({ point }));
for (const how of flags.timing.split(',')) {
  const groups = new Map();
  const failures = new Map();
  for (const result of results) {
    const { point } = result;
    const found = await simulate(point, how);
    result[how] = found;
    if (found.error !== undefined) {
      failures.set(found.error, (failures.get(found.error) ?? 0) + 1);
      continue;
    }
    for (const key of keysOf(point)) {
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(found.tpot / point.tpot_ms - 1);
    }
  }
  console.log(
    `\n${`${how}: TPOT error`.padEnd(58)}${'points'.padStart(6)}${'median'.padStart(9)}${'p90'.padStart(9)}${'bias'.padStart(9)}`,
  );
  for (const [name, errors] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(row(name, errors));
  for (const [error, count] of failures) console.log(`failed ${count}: ${error}`);
}
if (flags.out !== '')
  writeFileSync(flags.out, results.map((result) => `${JSON.stringify(result)}\n`).join(''));
