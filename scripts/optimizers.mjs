// How good the samplers of a search are: on ten landscapes, whose every point is simulated first, each is given a quarter
// of the points, with 20 seeds. Printed are medians of the best value, and of the volume under the front, as parts of
// what all points have.
//
//   node scripts/optimizers.mjs [--seeds N] [--threads N]
import { parseArgs } from 'node:util';
import { SpecDocument } from '../dist/sweep/document.js';
import { jobKey } from '../dist/sweep/job-key.js';
import { hypervolume } from '../dist/sweep/search/pareto.js';
import { readStudySpec } from '../dist/sweep/study/read-spec.js';
import { runStudy } from '../dist/sweep/study/study.js';
import { threadEvaluator } from '../dist/sweep/threads.js';

const { values: options } = parseArgs({
  options: { seeds: { type: 'string', default: '20' }, threads: { type: 'string', default: '2' } },
});
const PART = 0.25;
const ALGORITHMS = ['random', 'tpe', 'nsga2'];

/** A workload and what is searched: three to five settings, 240 to 400 points. */
function landscape(name, workload, search, goals = {}) {
  const base = { beyond_reference: true, request_count: 150, ...workload };
  const timing = { type: 'roofline', gpu: 'h100_sxm', model: 'Qwen/Qwen3-8B' };
  return { name, spec: { base: { timing, ...base }, search, goals } };
}

const range = (min, max, more = {}) => ({ range: { min, max, ...more } });
const choices = (...list) => ({ choices: list });
const doubling = (min, max) => range(min, max, { scale: 'log' });
const chat = { input_tokens: 1500, output_tokens: 200, request_rate: 30 };
const long = { input_tokens: 8000, output_tokens: 100, replay_concurrency: 48 };
const shared = { ...chat, shared_prefix_ratio: 0.7, num_prefix_groups: 12 };
const split = (workload) => ({
  ...workload,
  prefill_engine_args: { worker_type: 'prefill' },
  decode_engine_args: { worker_type: 'decode' },
});
const BATCHING = {
  num_workers: range(1, 8),
  'extra_engine_args.max_num_seqs': doubling(4, 256),
  'extra_engine_args.max_num_batched_tokens': doubling(512, 16384),
};
const ROUTED = {
  num_workers: range(2, 6),
  router_mode: choices('round_robin', 'kv_router'),
  'router_config.overlap_score_credit': choices(0, 0.5, 1),
  'extra_engine_args.max_num_seqs': choices(8, 32, 128),
  'extra_engine_args.num_gpu_blocks': choices(600, 1200, 2400, 9600),
};
const STAGES = {
  num_prefill_workers: range(1, 6),
  num_decode_workers: range(1, 6),
  'decode_engine_args.max_num_seqs': doubling(8, 128),
  'prefill_engine_args.max_num_batched_tokens': choices(2048, 8192),
};
const LANDSCAPES = [
  landscape('chat', chat, BATCHING),
  landscape('chat with goals', chat, BATCHING, { p99_ttft_ms: 800, itl_ms: 15 }),
  landscape('long prompts', long, BATCHING),
  landscape('long prompts with goals', long, BATCHING, { ttft_ms: 4000 }),
  landscape('shared prefixes', shared, ROUTED),
  landscape(
    'shared prefixes in a closed loop',
    { ...long, shared_prefix_ratio: 0.8, num_prefix_groups: 20 },
    ROUTED,
  ),
  landscape('stages', split(chat), STAGES),
  landscape('stages with goals', split(chat), STAGES, { ttft_ms: 600, itl_ms: 12 }),
  landscape('stages, long prompts', split(long), STAGES),
  landscape('sessions', { ...chat, turns_per_session: 4, request_count: 40, request_rate: 8 }, ROUTED),
];

const read = (spec, target, optimizer) =>
  readStudySpec(
    SpecDocument.parse(
      JSON.stringify({ ...spec, target, optimizer: { stop_hopeless: false, ...optimizer } }),
      'landscape',
    ),
    '/none',
  );
const isGood = ({ status }) => status === 'feasible';
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** The best scalar of some entries, more being better and above 0. */
const bestOf = (entries) => Math.max(0, ...entries.filter(isGood).map(({ objectives }) => objectives[0]));
const volumeOf = (entries) =>
  hypervolume(
    entries.filter(isGood).map(({ objectives }) => objectives),
    [0, 0],
  );

const pool = threadEvaluator(Number(options.threads));
const rows = [];
for (const { name, spec } of LANDSCAPES) {
  const known = new Map();
  const evaluator = {
    run: (job) => {
      const key = jobKey(job);
      if (!known.has(key)) known.set(key, pool.run(job));
      return known.get(key);
    },
    close: async () => {},
  };
  for (const [target, score] of [
    ['throughput_per_gpu', bestOf],
    ['pareto', volumeOf],
  ]) {
    const all = await runStudy(read(spec, target, { algorithm: 'exhaustive' }), evaluator);
    const whole = score(all.entries);
    const most = Math.floor(PART * all.entries.length);
    const row = {
      landscape: name,
      target,
      points: all.entries.length,
      feasible: all.entries.filter(isGood).length,
    };
    for (const algorithm of ALGORITHMS) {
      const parts = [];
      for (let seed = 1; seed <= Number(options.seeds); seed++) {
        const study = read(spec, target, { algorithm, seed, max_trials: most });
        const { entries } = await runStudy(study, evaluator);
        parts.push(score(entries.slice(0, most)) / whole);
      }
      row[algorithm] = Number(median(parts).toFixed(4));
    }
    rows.push(row);
    console.log(Object.values(row).join('\t'));
  }
}
await pool.close();
console.table(rows);
