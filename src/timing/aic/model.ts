import { AicError } from './aic-error.js';
import type { JsonRecord, ModelFiles } from './model-files.js';

type ModelFamily = 'LLAMA' | 'MOE' | 'DEEPSEEK' | 'KIMIK25';

/** The shape of a transformer, as its config file gives it. Counts. */
export interface ModelSpec {
  architecture: string;
  family: ModelFamily;
  layers: number;
  hidden: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  intermediate: number;
  vocabulary: number;
  expertsPerToken: number;
  experts: number;
  /** Layers at the start that have no experts. */
  denseLayers: number;
  expertIntermediate: number;
  valueHeadSize: number;
  kvLoraRank: number;
  ropeHeadSize: number;
  /** First entry of the quantisation's weight blocks, where it has some. */
  weightBlockTokens: number;
  normalizesQueryKey: boolean;
  /** Whether the output head is the embedding once more. */
  tiesEmbeddings: boolean;
  isGptOss: boolean;
}

const FAMILIES: Record<string, ModelFamily> = {
  LlamaForCausalLM: 'LLAMA',
  Qwen2ForCausalLM: 'LLAMA',
  Qwen3ForCausalLM: 'LLAMA',
  MiMoForCausalLM: 'LLAMA',
  MixtralForCausalLM: 'MOE',
  GptOssForCausalLM: 'MOE',
  Qwen2MoeForCausalLM: 'MOE',
  Qwen3MoeForCausalLM: 'MOE',
  MiniMaxM2ForCausalLM: 'MOE',
  DeepseekV3ForCausalLM: 'DEEPSEEK',
  DeepSeekForCausalLM: 'DEEPSEEK',
  KimiK25ForConditionalGeneration: 'KIMIK25',
};
const QUERY_KEY_NORM = ['Qwen3ForCausalLM', 'Qwen3MoeForCausalLM', 'MiniMaxM2ForCausalLM'];

/** Whether the KV cache holds one latent vector a token, as in DeepSeek V3 and Kimi K2. */
export function isLatent({ family }: ModelSpec): boolean {
  return family === 'DEEPSEEK' || family === 'KIMIK25';
}

/** Values that the KV cache holds for a token on one GPU. */
export function kvValuesPerToken(model: ModelSpec, tensorParallel: number): number {
  const { layers, kvHeads, headSize, kvLoraRank, ropeHeadSize } = model;
  if (isLatent(model)) return layers * (kvLoraRank + ropeHeadSize);
  return Math.ceil(kvHeads / tensorParallel) * headSize * layers * 2;
}

/** @throws {AicError} for an architecture that has no op list here */
export function readModel({ config: top }: ModelFiles, model: string): ModelSpec {
  const architecture = String((top.architectures as string[] | undefined)?.[0]);
  const family = FAMILIES[architecture];
  if (family === undefined)
    throw new AicError(
      `aic_model_path: ${model} is a ${architecture}, which is not supported; supported are ${Object.keys(FAMILIES).join(', ')}`,
    );
  const config = family === 'KIMIK25' ? (top.text_config as JsonRecord) : top;
  const number = (...names: string[]) => {
    for (const name of names) if (Number(config[name])) return Number(config[name]);
    return 0;
  };
  const heads = number('num_attention_heads');
  const hidden = number('hidden_size');
  const intermediate = number('intermediate_size');
  const quantization = (top.quantization_config ?? config.quantization_config) as JsonRecord | undefined;
  const headSize = number('head_dim', 'attention_head_dim') || Math.floor(hidden / heads);
  return {
    architecture,
    family,
    layers: number('num_hidden_layers'),
    hidden,
    heads,
    kvHeads: number('num_key_value_heads'),
    headSize,
    intermediate,
    vocabulary: number('vocab_size'),
    expertsPerToken: number('num_experts_per_tok', 'top_k_experts'),
    experts: number('num_local_experts', 'n_routed_experts', 'num_experts'),
    denseLayers: number('first_k_dense_replace'),
    expertIntermediate: number('moe_intermediate_size') || intermediate,
    valueHeadSize: number('v_head_dim') || headSize,
    kvLoraRank: number('kv_lora_rank') || 512,
    ropeHeadSize: number('qk_rope_head_dim') || 64,
    weightBlockTokens: Number((quantization?.weight_block_size as number[] | undefined)?.[0] ?? 128),
    normalizesQueryKey: QUERY_KEY_NORM.includes(architecture),
    tiesEmbeddings: config.tie_word_embeddings === true,
    isGptOss: architecture === 'GptOssForCausalLM',
  };
}
