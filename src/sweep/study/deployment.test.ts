import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type JsonObject, jsonText, readJson } from '../../config/json.js';
import { yamlText } from '../../config/yaml.js';
import { readScenario } from '../../setup/scenario.js';
import { deploymentOf } from './deployment.js';

/**
 * What nvidia.com/v1alpha1 lets a DynamoGraphDeployment have, of the fields that are written: names, types and bounds of
 * its public custom resource definition, everything else refused.
 */
const container = z.strictObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
});
const service = z.strictObject({
  componentType: z.enum(['frontend', 'worker', 'planner', 'epp', 'main']),
  subComponentType: z.enum(['prefill', 'decode']).optional(),
  replicas: z.int().min(0),
  multinode: z.strictObject({ nodeCount: z.int().min(2) }).optional(),
  envFromSecret: z.string().optional(),
  envs: z.array(z.strictObject({ name: z.string().min(1), value: z.string() })).optional(),
  resources: z.strictObject({ limits: z.strictObject({ gpu: z.string().regex(/^\d+$/) }) }).optional(),
  extraPodSpec: z.strictObject({ mainContainer: container }),
});
const manifestSchema = z.strictObject({
  apiVersion: z.literal('nvidia.com/v1alpha1'),
  kind: z.literal('DynamoGraphDeployment'),
  // A name of Kubernetes: a label of RFC 1123.
  metadata: z.strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
      .max(63),
  }),
  spec: z.strictObject({
    backendFramework: z.enum(['vllm', 'sglang', 'trtllm']),
    services: z.record(z.string(), service).refine((services) => Object.keys(services).length <= 25),
  }),
});

const LOAD = { input_tokens: 4000, output_tokens: 1000, request_count: 100, replay_concurrency: 32 };
const engine = (more: object) => ({
  engine_type: 'vllm',
  timing: { type: 'roofline', gpu: 'h200_sxm', model: 'Qwen/Qwen3-32B', tp: 2 },
  ...more,
});
const deploy = (settings: object) => deploymentOf(JSON.stringify({ ...LOAD, ...settings }), 'dynosim-0001');
const manifest = (settings: object) => manifestSchema.parse(parse(deploy(settings)!.manifest));

describe('a deployment', () => {
  it('has workers of both kinds as the schema wants them', () => {
    const { spec } = manifest({
      prefill_engine_args: engine({ worker_type: 'prefill', max_num_batched_tokens: 16384 }),
      decode_engine_args: engine({ worker_type: 'decode', max_num_seqs: 512, enable_prefix_caching: false }),
      num_prefill_workers: 3,
      num_decode_workers: 2,
      router_mode: 'kv_router',
      router_config: { overlap_score_credit: 0.5 },
    });
    const { Frontend, PrefillWorker, DecodeWorker } = spec.services;
    expect(Frontend.envs).toContainEqual({ name: 'DYN_ROUTER_MODE', value: 'kv' });
    expect(Frontend.envs).toContainEqual({ name: 'DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT', value: '0.5' });
    expect(PrefillWorker).toMatchObject({ replicas: 3, subComponentType: 'prefill' });
    expect(PrefillWorker.resources).toEqual({ limits: { gpu: '2' } });
    expect(PrefillWorker.extraPodSpec.mainContainer.args!.join(' ')).toBe(
      '--model Qwen/Qwen3-32B --tensor-parallel-size 2 --max-num-batched-tokens 16384 --disaggregation-mode prefill',
    );
    expect(DecodeWorker.replicas).toBe(2);
    expect(DecodeWorker.extraPodSpec.mainContainer.args!.join(' ')).toBe(
      '--model Qwen/Qwen3-32B --tensor-parallel-size 2 --max-num-seqs 512 --no-enable-prefix-caching --disaggregation-mode decode',
    );
  });

  it('spreads a worker over nodes where one does not hold it', () => {
    const timing = { type: 'roofline', gpu: 'h200_sxm', model: 'Qwen/Qwen3-32B', tp: 16 };
    const { spec } = manifest({ extra_engine_args: engine({ timing }) });
    expect(spec.services.Worker).toMatchObject({
      multinode: { nodeCount: 2 },
      resources: { limits: { gpu: '8' } },
    });
  });

  it('has flags of SGLang for SGLang', () => {
    const { spec } = manifest({
      extra_engine_args: engine({
        engine_type: 'sglang',
        sglang: { page_size: 16, chunked_prefill_size: 4096 },
        mem_fraction_static: 0.8,
      }),
    });
    const { command, args } = spec.services.Worker.extraPodSpec.mainContainer;
    expect([...command!, ...args!].join(' ')).toBe(
      'python3 -m dynamo.sglang --model-path Qwen/Qwen3-32B --tp 2 --page-size 16 --chunked-prefill-size 4096 --mem-fraction-static 0.8',
    );
  });

  it('is measured with the same load', () => {
    const { benchmark } = deploy({ extra_engine_args: engine({}) })!;
    expect(benchmark).toContain(
      '--synthetic-input-tokens-mean 4000 --synthetic-input-tokens-stddev 0 --output-tokens-mean 1000',
    );
    expect(benchmark).toMatch(/--request-count 100 --concurrency 32$/m);
  });

  it('is none where the timing names no model', () => {
    expect(deploy({})).toBeUndefined();
  });
});

describe('a recommendation', () => {
  it('is a configuration that says exactly the same', () => {
    const settings = { ...LOAD, arrival_seed: 1, router_seed: 1, extra_engine_args: engine({}) };
    const json = readJson(
      JSON.stringify(settings).replace('"router_seed":1', '"router_seed":18446744073709551615'),
      'x',
    ) as JsonObject;
    const text = yamlText(json);
    expect(text).toContain('18446744073709551615');
    const again = readScenario(json, 'x');
    expect(jsonText(new Map(again.given))).toContain('18446744073709551615');
  });
});
