import type { FieldValues } from '../../config/fields.js';
import type { RouterSpec, StageSpec } from '../../config/scenario/scenario.js';

/** Flags of an engine by the arguments of the simulated one. */
interface EngineFlags {
  module: string;
  /** Words that start the engine without Dynamo. */
  alone: readonly string[];
  model: string;
  tensor: string;
  data: string;
  /** A switch, or a flag with a count. */
  expert: { flag: string; hasCount: boolean };
  fields: Readonly<Record<string, string>>;
  /** Switches for caching of prefixes: on, off. */
  caching: readonly [string[], string[]];
  chunked: readonly [string[], string[]];
}

const ENGINES: Readonly<Record<string, EngineFlags>> = {
  vllm: {
    module: 'dynamo.vllm',
    alone: ['vllm', 'serve'],
    model: '--model',
    tensor: '--tensor-parallel-size',
    data: '--data-parallel-size',
    expert: { flag: '--enable-expert-parallel', hasCount: false },
    fields: {
      block_size: '--block-size',
      num_gpu_blocks: '--num-gpu-blocks-override',
      max_model_len: '--max-model-len',
      max_num_seqs: '--max-num-seqs',
      max_num_batched_tokens: '--max-num-batched-tokens',
      gpu_memory_utilization: '--gpu-memory-utilization',
    },
    caching: [['--enable-prefix-caching'], ['--no-enable-prefix-caching']],
    chunked: [['--enable-chunked-prefill'], ['--no-enable-chunked-prefill']],
  },
  sglang: {
    module: 'dynamo.sglang',
    alone: ['python3', '-m', 'sglang.launch_server'],
    model: '--model-path',
    tensor: '--tp',
    data: '--dp',
    expert: { flag: '--ep', hasCount: true },
    fields: {
      'sglang.page_size': '--page-size',
      'sglang.chunked_prefill_size': '--chunked-prefill-size',
      'sglang.max_prefill_tokens': '--max-prefill-tokens',
      'sglang.schedule_policy': '--schedule-policy',
      'sglang.schedule_conservativeness': '--schedule-conservativeness',
      max_model_len: '--context-length',
      max_num_seqs: '--max-running-requests',
      mem_fraction_static: '--mem-fraction-static',
    },
    caching: [[], ['--disable-radix-cache']],
    chunked: [[], []],
  },
  trtllm: {
    module: 'dynamo.trtllm',
    alone: ['trtllm-serve'],
    model: '--model-path',
    tensor: '--tensor-parallel-size',
    data: '--data-parallel-size',
    expert: { flag: '--expert-parallel-size', hasCount: true },
    fields: {
      block_size: '--kv-block-size',
      max_model_len: '--max-seq-len',
      max_num_seqs: '--max-batch-size',
      max_num_batched_tokens: '--max-num-tokens',
      free_gpu_memory_fraction: '--free-gpu-memory-fraction',
    },
    caching: [[], []],
    chunked: [[], []],
  },
};

/**
 * The command line of a worker.
 * @param isDynamo whether it is one of a Dynamo deployment, or the engine by itself
 */
export function workerCommand({ name, engine }: StageSpec, model: string, isDynamo: boolean): string[] {
  const flags = ENGINES[engine.type.name] ?? ENGINES.vllm;
  const words = isDynamo
    ? ['python3', '-m', flags.module, flags.model, model]
    : [...flags.alone, ...(flags.alone[0] === 'python3' ? [flags.model] : []), model];
  words.push(flags.tensor, String(engine.tensorParallel));
  if (engine.ranks > 1) words.push(flags.data, String(engine.ranks));
  const experts = expertParallel(engine);
  if (experts > 1) words.push(flags.expert.flag, ...(flags.expert.hasCount ? [String(experts)] : []));
  for (const [path, flag] of Object.entries(flags.fields)) {
    const value = given(engine.given, path);
    if (value !== undefined) words.push(flag, String(value));
  }
  words.push(...switched(engine.given.enable_prefix_caching, flags.caching));
  words.push(...switched(engine.given.enable_chunked_prefill, flags.chunked));
  if (isDynamo && name !== '') words.push('--disaggregation-mode', name);
  return words;
}

function switched(value: unknown, [on, off]: readonly [string[], string[]]): string[] {
  return value === undefined ? [] : value === true ? on : off;
}

function expertParallel({ aic, timing }: StageSpec['engine']): number {
  return (timing?.type === 'roofline' ? timing.moeExpertParallel : aic?.moeExpertParallel) ?? 1;
}

function given(values: FieldValues, path: string): unknown {
  const [first, second] = path.split('.');
  return second === undefined ? values[first] : (values[first] as FieldValues | undefined)?.[second];
}

/** Environment of the frontend, which routes. */
export function frontendVariables({ mode, settings }: RouterSpec): [name: string, value: string][] {
  if (mode !== 'kv_router') return [['DYN_ROUTER_MODE', 'round-robin']];
  const { overlapCredit, prefillLoadScale, temperature } = settings;
  return [
    ['DYN_ROUTER_MODE', 'kv'],
    ['DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT', String(overlapCredit)],
    ['DYN_ROUTER_PREFILL_LOAD_SCALE', String(prefillLoadScale)],
    ['DYN_ROUTER_TEMPERATURE', String(temperature)],
  ];
}
