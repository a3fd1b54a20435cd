import type { EngineArgs, EngineTraits, Tunable } from '../../config/engine-type.js';
import type { EngineKind, EngineMaker, EngineParts } from '../kind.js';
import { EventQueue } from '../kv/event-queue.js';
import { KvbmPool } from '../kv/kvbm-pool.js';
import { NativePool } from '../kv/native-pool.js';
import { SharedTiers } from '../tiers/shared.js';
import { Tiers } from '../tiers/tiers.js';
import { Offloading } from './offloading.js';
import type { VllmOptions } from './options.js';
import { PrefillTurns } from './prefill-turns.js';
import { vllmRules } from './rules.js';
import { VllmScheduler } from './scheduler.js';

const traits: EngineTraits = {
  hasRadixTree: false,
  retriesIdle: false,
  prefillsFirst: true,
  hasTiers: true,
  decodesWhole: true,
  isSplitInReference: true,
  limitsLength: true,
};

export const vllm: EngineKind = {
  name: 'vllm',
  traits,
  fields: {
    preemption_mode: { type: 'choice', choices: ['lifo', 'fifo'], anyCase: true },
    prefill_schedule_interval: { type: 'uint', min: 1 },
  },
  ignored: () => ({}),
  memoryKey: 'gpu_memory_utilization',
  blockTokens: () => 64,
  tunables,
  check: checkBlocks,
  maker: (parts) => new VllmMaker(parts, 'vllm'),
};

/** TensorRT-LLM under its policy "guaranteed no evict": vLLM's scheduler with another admission. */
export const trtllm: EngineKind = {
  name: 'trtllm',
  traits: { ...traits, isSplitInReference: false, limitsLength: false },
  fields: {
    trtllm: {
      type: 'object',
      null: 'unset',
      fields: {
        capacity_scheduler_policy: { type: 'choice', choices: ['guaranteed_no_evict'], null: 'unset' },
      },
    },
  },
  ignored: () => ({}),
  memoryKey: 'free_gpu_memory_fraction',
  blockTokens: () => 32,
  tunables,
  check: checkBlocks,
  maker: (parts) => new VllmMaker(parts, 'trtllm'),
};

function tunables({ maxSequences, maxBatchedTokens, chunkedPrefill, prefixCaching }: EngineArgs): Tunable[] {
  return [
    { path: 'max_num_seqs', value: maxSequences },
    { path: 'max_num_batched_tokens', value: maxBatchedTokens },
    { path: 'enable_chunked_prefill', value: chunkedPrefill, instead: true },
    { path: 'enable_prefix_caching', value: prefixCaching, instead: true },
  ];
}

function checkBlocks(args: EngineArgs, refuse: (problem: string) => never): void {
  const { blockTokens, pool, type, offload } = args;
  if (blockTokens === 1) refuse(`block_size must be at least 2 for engine_type=${type.name}, found 1`);
  if (pool === 'native' && (offload.g2Blocks > 0 || offload.g3Blocks > 0 || offload.g4))
    refuse(
      'g1_backend=native cannot be combined with G2/G3/G4 offload; leave g1_backend out or set it to kvbm',
    );
  const isPowerOfTwo = (blockTokens & (blockTokens - 1)) === 0;
  if (pool === 'kvbm' && !(blockTokens <= 1024 && isPowerOfTwo))
    refuse(`block_size must be a power of two from 2 to 1024 for the kvbm pool, found ${blockTokens}`);
}

class VllmMaker implements EngineMaker {
  private shared: SharedTiers | undefined;
  /** When prompts may begin, by worker. */
  private readonly turns: PrefillTurns[] = [];

  constructor(
    private readonly parts: EngineParts,
    private readonly policy: VllmOptions['policy'],
  ) {}

  get tiers() {
    return this.shared?.use;
  }

  create(rank: number): VllmScheduler {
    const { args, clock, requests, blocks, log, gaps, listenersOf } = this.parts;
    const listener = listenersOf(rank)?.gpu;
    const options = this.options(rank);
    const tables = { requests, blocks, log, gaps };
    if (args.pool === 'native') {
      const queue = listener && options.rules.publishesAtEnd ? new EventQueue(listener, blocks) : undefined;
      const pool = new NativePool(args.gpuBlocks, blocks, queue ?? listener);
      return new VllmScheduler(options, pool, clock, tables, undefined, queue);
    }
    const pool = new KvbmPool(args.gpuBlocks, blocks, listener);
    const offloading = this.offloading(rank, pool);
    return new VllmScheduler(options, pool, clock, tables, offloading);
  }

  private options(rank: number): VllmOptions {
    const { args, hasTokens, isCapped, isWatched, rules } = this.parts;
    const naming = args.pool === 'kvbm' ? 'emitted' : hasTokens && args.prefixCaching ? 'computed' : 'lost';
    return {
      ...args,
      policy: this.policy,
      preemption: (args.given.preemption_mode ?? 'lifo') as VllmOptions['preemption'],
      speculationSeed: args.speculationSeed + BigInt(rank),
      naming,
      turns: this.turnsOf(rank),
      rules: vllmRules(rules),
      isWatched,
      groupsDecodes: naming === 'lost' && !isCapped && args.acceptRates === undefined,
    };
  }

  private turnsOf(rank: number): PrefillTurns | undefined {
    const { ranks, given } = this.parts.args;
    const interval = (given.prefill_schedule_interval ?? 1) as number;
    if (this.policy !== 'vllm' || ranks === 1 || interval === 1) return undefined;
    const worker = Math.floor(rank / ranks);
    this.turns[worker] ??= new PrefillTurns(interval);
    return this.turns[worker];
  }

  /** Connects the pool of a rank with the lower tiers, where those are simulated. */
  private offloading(rank: number, pool: KvbmPool): Offloading | undefined {
    const { args, blocks, listenersOf } = this.parts;
    const { blockBytes } = args.offload;
    if (blockBytes === undefined) return undefined;
    const options = { ...args.offload, blockBytes };
    this.shared ??= new SharedTiers(options, blocks);
    const freeSources = (count: number) => pool.gone(count);
    const tiers = new Tiers(options, this.shared, blocks, freeSources, listenersOf(rank)?.host);
    pool.tiers = tiers;
    return new Offloading(tiers, pool, blocks);
  }
}
