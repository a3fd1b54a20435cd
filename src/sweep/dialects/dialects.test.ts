import { describe, expect, it } from 'vitest';
import { InputError } from '../../config/input-error.js';
import { jsonText } from '../../config/json.js';
import { SpecDocument } from '../document.js';
import { candidateOf } from '../study/candidate.js';
import { readStudySpec } from '../study/read-spec.js';
import { studyOfAiconfigurator } from './aiconfigurator.js';
import { isAisimulate, studyOfAisimulate } from './aisimulate.js';
import type { MadeStudy } from './made-study.js';

const read = ({ study }: MadeStudy) => readStudySpec(SpecDocument.made('x', study), '/nowhere');
const settings = (made: MadeStudy, at = 0) => {
  const spec = read(made);
  const { settings, problem } = candidateOf(spec, spec.space.pointAt(at));
  return { problem, ...JSON.parse(jsonText(settings)) };
};

describe('the arguments of aiconfigurator cli default', () => {
  const line =
    'cli default --model-path Qwen/Qwen3-32B-FP8 --total-gpus 4 --system h200_sxm --backend vllm --isl 3000 --osl 500 --ttft 1500 --tpot 25 --prefix 1500';

  it('become a study of all fleets at the highest load that keeps the goals', () => {
    const made = studyOfAiconfigurator(line);
    expect(made.unmapped).toEqual([]);
    const spec = read(made);
    expect(spec.goals).toEqual([
      { name: 'ttft_ms', bound: 1500 },
      { name: 'itl_ms', bound: 25 },
    ]);
    expect(spec.load).toMatchObject({ setting: 'replay_concurrency', min: 1 });
    expect(settings(made)).toMatchObject({
      problem: undefined,
      input_tokens: 3000,
      output_tokens: 500,
      shared_prefix_ratio: 0.5,
      num_workers: 1,
      extra_engine_args: { timing: { gpu: 'h200_sxm', model: 'Qwen/Qwen3-32B-FP8', tp: 1 } },
    });
  });

  it('have the defaults of AI Configurator, and older spellings', () => {
    const spec = read(
      studyOfAiconfigurator('aiconfigurator cli default --model M --total_gpus=2 --system h100_sxm'),
    );
    expect(jsonText(spec.base)).toContain('"input_tokens":4000,"output_tokens":1000');
    expect(spec.goals.map(({ bound }) => bound)).toEqual([2000, 30]);
  });

  it('are named where they do not map', () => {
    const { unmapped } = studyOfAiconfigurator(
      `${line} --database-mode HYBRID --decode-system b200_sxm --top-n 3`,
    );
    expect(unmapped).toEqual(['--database-mode has no counterpart', '--decode-system has no counterpart']);
  });

  it.each([
    ['cli exp --yaml-path x', /only 'cli default' is understood, found 'exp'/],
    ['default --total-gpus 4 --system s', /--model-path is missing/],
    ['default --model m --system s', /--total-gpus is missing/],
    ['default --model m --system s --total-gpus four', /--total-gpus: expected a number, found 'four'/],
    ['default model', /expected an argument that begins with --, found 'model'/],
  ])('are refused in a line: %s', (text, message) => {
    expect(() => read(studyOfAiconfigurator(text))).toThrow(InputError);
    expect(() => read(studyOfAiconfigurator(text))).toThrow(message);
  });
});

const AGGREGATED = `
traffic:
  source: {type: synthetic, input_tokens: 1024, output_tokens: 128}
  load: {type: concurrency, concurrency: {choices: [4, 8]}}
  stop: {requests: 32}
engine:
  mode: aggregated
  model: Qwen/Qwen3-32B-FP8
  hardware: h200_sxm
  backend: vllm
  workers:
    aggregated:
      parallelism:
        preset:
          - {replicas: 1, tensor: 1, pipeline: 1, attention_data: 1, moe_tensor: 1, moe_expert: 1}
          - {replicas: 2, tensor: 2, pipeline: 1, attention_data: 1, moe_tensor: 1, moe_expert: 1}
      scheduler: {max_batched_tokens: 8192, max_sequences: 256}
      kv_cache: {block_size: 64, capacity: {type: default, memory_fraction: 0.8}}
optimization:
  target: throughput_per_gpu
  constraints: {max_candidate_gpus: 4}
optimizer: {algorithm: random, max_trials: 4, parallelism: 1, seed: 7}
`;

describe('a search of aisimulate', () => {
  const made = (text: string) => studyOfAisimulate(SpecDocument.parse(text, 'x.yaml'));

  it('is told from a spec of the reference', () => {
    expect(isAisimulate(SpecDocument.parse(AGGREGATED, 'x'))).toBe(true);
    expect(isAisimulate(SpecDocument.parse('engine: {}\nhardware: {}\nworkload: {}', 'x'))).toBe(false);
  });

  it('becomes a study of the same candidates', () => {
    const study = made(AGGREGATED);
    expect(study.unmapped).toEqual(['optimizer.parallelism: is --threads here']);
    const spec = read(study);
    expect(spec.space.size).toBe(4);
    expect(spec.targets).toEqual(['throughput_per_gpu']);
    expect(spec.optimizer).toMatchObject({ algorithm: 'random', maxTrials: 4, seed: 7n });
    expect(settings(study, 3)).toMatchObject({
      problem: undefined,
      request_count: 32,
      replay_concurrency: 8,
      num_workers: 2,
      extra_engine_args: {
        max_num_batched_tokens: 8192,
        max_num_seqs: 256,
        block_size: 64,
        gpu_memory_utilization: 0.8,
        timing: { tp: 2 },
      },
    });
  });

  it('may have prefill and decode workers, a router and strict goals', () => {
    const study = made(`
traffic:
  source: {type: synthetic, input_tokens: 1024, output_tokens: 128}
  load: {type: poisson, requests_per_second: 8, seed: 3}
  stop: {requests_per_load_unit: 20}
engine:
  mode: disaggregated
  model: M
  hardware: auto
  workers:
    prefill: {parallelism: {replicas: 1, tensor: {choices: [1, 2]}}, scheduler: {max_sequences: {choices: [1, 4]}}}
    decode: {parallelism: {replicas: {choices: [1, 2]}, tensor: 1}, startup_seconds: 5}
  kv_transfer: {bandwidth_gb_per_second: 100}
router: {mode: kv, overlap_score_credit: {range: {min: 0, max: 1, step: 0.5}}, novelty: 3}
evaluation: {sla: {ttft_ms: 500, itl_ms: 20}}
optimization: {target: min_gpus, strict_sla: true, hardware: h100_sxm, constraints: {min_goodput_rps: 4}}
`);
    expect(study.unmapped).toEqual(['router.novelty has no counterpart']);
    const spec = read(study);
    expect(spec.space.size).toBe(2 * 2 * 2 * 3);
    expect(spec.targets).toEqual(['gpus']);
    expect(spec.goals.map(({ name }) => name)).toEqual(['ttft_ms', 'itl_ms', 'min_goodput_rps']);
    expect(settings(study, spec.space.size - 1)).toMatchObject({
      request_count: 160,
      request_rate: 8,
      arrival_seed: 3,
      router_mode: 'kv_router',
      router_config: { overlap_score_credit: 1 },
      prefill_engine_args: {
        max_num_seqs: 4,
        kv_transfer_bandwidth: 100,
        timing: { gpu: 'h100_sxm', tp: 2 },
      },
      decode_engine_args: { startup_time: 5 },
      num_prefill_workers: 1,
      num_decode_workers: 2,
    });
  });
});
