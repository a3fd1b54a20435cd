import { readFileSync } from 'node:fs';
import { InputError } from '../../../config/input-error.js';
import { decodeJson, encodeJson } from '../codec/json.js';
import { Float, type WireMap, type WireValue, type Writable } from '../codec/value.js';
import type { ModelFolder } from '../discovery/card.js';

/** Flags of the mocker's command line that describe an engine, by their names there. */
export interface EngineFlags {
  engineType: string;
  numGpuBlocksOverride?: number;
  blockSize?: number;
  maxModelLen?: number;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
  enablePrefixCaching?: boolean;
  enableChunkedPrefill?: boolean;
  g1Backend?: string;
  preemptionMode: string;
  speedupRatio: number;
  decodeSpeedupRatio: number;
  plannerProfileData?: string;
  aicPerfModel?: boolean;
  aicSystem?: string;
  aicBackend?: string;
  aicBackendVersion?: string;
  aicTpSize?: number;
  aicMoeTpSize?: number;
  aicMoeEpSize?: number;
  aicAttentionDpSize?: number;
  gpuMemoryUtilization?: number;
  memFractionStatic?: number;
  freeGpuMemoryFraction?: number;
  aicNextn?: number;
  aicNextnAcceptRates?: string;
  aicMtpSeed: bigint;
  sglangSchedulePolicy?: string;
  sglangPageSize?: number;
  sglangMaxPrefillTokens?: number;
  sglangChunkedPrefillSize?: number;
  sglangClipMaxNewTokens?: number;
  sglangScheduleConservativeness?: number;
  trtllmCapacitySchedulerPolicy?: string;
  kvTransferBandwidth: number;
  kvTransferTimingMode: string;
  kvCacheDtype: string;
  kvBytesPerToken?: number;
  numG2Blocks?: number;
  numG3Blocks?: number;
  enableG4Storage?: boolean;
  offloadBatchSize?: number;
  bandwidthG1ToG2Gbps?: number;
  bandwidthG2ToG1Gbps?: number;
  bandwidthG2ToG3Gbps?: number;
  bandwidthG3ToG2Gbps?: number;
  bandwidthG2ToG4Gbps?: number;
  bandwidthG4ToG2Gbps?: number;
}

const float = (value: number | undefined): Writable | undefined =>
  value === undefined ? undefined : new Float(value);

export type Members = { [name: string]: Writable | undefined };

/** Engine arguments as `--extra-engine-args` has them, from the flags of the command line. */
export function engineArguments(
  flags: EngineFlags,
  modelPath: string | undefined,
  folder: ModelFolder | undefined,
): Members {
  return {
    engine_type: flags.engineType,
    num_gpu_blocks: flags.numGpuBlocksOverride ?? (flags.aicPerfModel ? undefined : 16384),
    block_size: flags.blockSize,
    max_model_len: flags.maxModelLen,
    max_num_seqs: flags.maxNumSeqs,
    max_num_batched_tokens: flags.maxNumBatchedTokens,
    enable_prefix_caching: flags.enablePrefixCaching ?? true,
    enable_chunked_prefill: flags.enableChunkedPrefill ?? true,
    g1_backend: flags.g1Backend,
    preemption_mode: flags.preemptionMode,
    speedup_ratio: float(flags.speedupRatio),
    decode_speedup_ratio: float(flags.decodeSpeedupRatio),
    planner_profile_data: flags.plannerProfileData,
    ...(flags.aicPerfModel ? aicArguments(flags, modelPath) : {}),
    aic_nextn: flags.aicNextn,
    aic_nextn_accept_rates: flags.aicNextnAcceptRates,
    aic_mtp_seed: flags.aicMtpSeed,
    kv_bytes_per_token: flags.kvBytesPerToken ?? bytesPerToken(folder?.config, flags.kvCacheDtype),
    kv_transfer_bandwidth: float(flags.kvTransferBandwidth),
    kv_transfer_timing_mode: flags.kvTransferTimingMode,
    num_g2_blocks: flags.numG2Blocks,
    num_g3_blocks: flags.numG3Blocks,
    enable_g4_storage: flags.enableG4Storage,
    offload_batch_size: flags.offloadBatchSize,
    bandwidth_g1_to_g2_gbps: float(flags.bandwidthG1ToG2Gbps),
    bandwidth_g2_to_g1_gbps: float(flags.bandwidthG2ToG1Gbps),
    bandwidth_g2_to_g3_gbps: float(flags.bandwidthG2ToG3Gbps),
    bandwidth_g3_to_g2_gbps: float(flags.bandwidthG3ToG2Gbps),
    bandwidth_g2_to_g4_gbps: float(flags.bandwidthG2ToG4Gbps),
    bandwidth_g4_to_g2_gbps: float(flags.bandwidthG4ToG2Gbps),
    ...kindArguments(flags),
  };
}

function aicArguments(flags: EngineFlags, modelPath: string | undefined): Members {
  return {
    aic_backend: flags.aicBackend ?? flags.engineType,
    aic_system: flags.aicSystem,
    aic_backend_version: flags.aicBackendVersion,
    aic_tp_size: flags.aicTpSize,
    aic_model_path: modelPath,
    aic_moe_tp_size: flags.aicMoeTpSize,
    aic_moe_ep_size: flags.aicMoeEpSize,
    aic_attention_dp_size: flags.aicAttentionDpSize,
    gpu_memory_utilization: float(flags.gpuMemoryUtilization),
    mem_fraction_static: float(flags.memFractionStatic),
    free_gpu_memory_fraction: float(flags.freeGpuMemoryFraction),
  };
}

function kindArguments(flags: EngineFlags): Members {
  const sglang: Members = {
    schedule_policy: flags.sglangSchedulePolicy,
    page_size: flags.sglangPageSize,
    max_prefill_tokens: flags.sglangMaxPrefillTokens,
    chunked_prefill_size: flags.sglangChunkedPrefillSize,
    clip_max_new_tokens: flags.sglangClipMaxNewTokens,
    schedule_conservativeness: float(flags.sglangScheduleConservativeness),
  };
  const policy = flags.trtllmCapacitySchedulerPolicy;
  return {
    sglang: Object.values(sglang).some((value) => value !== undefined) ? sglang : undefined,
    trtllm: policy === undefined ? undefined : { capacity_scheduler_policy: policy },
  };
}

/** KV bytes of a token by a model's `config.json`; undefined where it does not say enough. */
function bytesPerToken(config: WireMap | undefined, dtype: string): number | undefined {
  const number = (name: string): number | undefined => {
    const value = config?.get(name);
    return typeof value === 'number' ? value : undefined;
  };
  const layers = number('num_hidden_layers');
  const heads = number('num_attention_heads');
  const hidden = number('hidden_size');
  if (layers === undefined || heads === undefined || hidden === undefined) return undefined;
  const kvHeads = number('num_key_value_heads') ?? heads;
  const type = dtype === 'auto' ? (config?.get('torch_dtype') ?? config?.get('dtype')) : dtype;
  return layers * 2 * kvHeads * Math.floor(hidden / heads) * bytesOf(typeof type === 'string' ? type : '');
}

function bytesOf(dtype: string): number {
  if (dtype === 'float32') return 4;
  return dtype.startsWith('float8') || dtype.startsWith('fp8') ? 1 : 2;
}

/** Reads `--extra-engine-args`. @throws {InputError} */
export function readEngineFile(path: string): Members {
  let value: WireValue;
  try {
    value = decodeJson(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`--extra-engine-args: ${path}: ${(error as Error).message}`);
  }
  if (!(value instanceof Map)) throw new InputError(`--extra-engine-args: ${path}: must be a JSON object`);
  return Object.fromEntries(value);
}

/** What one rank of a worker is made from: each is an engine of its own. */
export function rankArguments(engine: Members, worker: number): string {
  const { dp_size, startup_time, aic_mtp_seed, ...rest } = engine;
  const seed = BigInt.asUintN(
    64,
    BigInt(typeof aic_mtp_seed === 'bigint' ? aic_mtp_seed : 42) + BigInt(worker),
  );
  return encodeJson({ ...rest, ...(rest.aic_nextn === undefined ? {} : { aic_mtp_seed: seed }) });
}
