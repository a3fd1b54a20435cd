import type { FieldRules, FieldValues } from './fields.js';
import type { Rules } from './rules.js';
import type { Liberties } from './scenario/liberties.js';
import type { AicArgs, TimingArgs } from './timing-args.js';

export type WorkerType = 'aggregated' | 'prefill' | 'decode';

interface TransferArgs {
  /** undefined: transfers take no time. */
  gigabytesPerSecond: number | undefined;
  bytesPerToken: number | undefined;
  /** Whether only blocks count that the decode worker does not have. */
  countsMissing: boolean;
}

/** One engine as the user described it, defaults filled in. Units: tokens, blocks, milliseconds where named. */
export interface EngineArgs {
  /** Arguments that were given, null apart, by their names in JSON. */
  given: FieldValues;
  type: EngineType;
  workerType: WorkerType;
  /** KV pool of one rank. */
  gpuBlocks: number;
  blockTokens: number;
  /** Infinity when unlimited. */
  maxSequences: number;
  /** Infinity when unlimited. */
  maxBatchedTokens: number;
  maxModelTokens: number | undefined;
  prefixCaching: boolean;
  chunkedPrefill: boolean;
  pool: 'native' | 'kvbm';
  ranks: number;
  tensorParallel: number;
  speedup: number;
  decodeSpeedup: number;
  /** Accept rate of each speculative token; undefined without speculation. */
  acceptRates: readonly number[] | undefined;
  speculationSeed: bigint;
  /** Path of a measured timing grid. */
  timingGridPath: string | undefined;
  /** Timing other than the default and AI Configurator's; undefined without. */
  timing: TimingArgs | undefined;
  /** Timing from AI Configurator tables; undefined without. */
  aic: AicArgs | undefined;
  /** Whether the KV pool is to be sized by what the GPU holds. */
  estimatesBlocks: boolean;
  routerQueuePolicy: 'fcfs' | 'lcfs' | 'wspt' | undefined;
  /** How KV moves from a prefill worker to a decode worker. */
  transfer: TransferArgs;
  offload: OffloadArgs;
}

/** The cache tiers below the GPU's; they are simulated only where the run asks for it. */
export interface OffloadArgs {
  /** Host blocks of one rank, and disk blocks of all together. */
  g2Blocks: number;
  g3Blocks: number;
  /** Whether there is an object store. */
  g4: boolean;
  batchBlocks: number;
  /** Bandwidths in 10^9 bytes a second; 0 for no limit. */
  g1ToG2: number;
  g2ToG1: number;
  g2ToG3: number;
  g3ToG2: number;
  g2ToG4: number;
  g4ToG2: number;
  /** Bytes of a block; undefined where the tiers are not simulated. */
  blockBytes: number | undefined;
}

/** In what engines differ for those who drive them. */
export interface EngineTraits {
  /** Whether prompts are kept in a radix tree: always cached, and content that occurs once has a name too. */
  hasRadixTree: boolean;
  /** Whether a pass that cannot do anything changes the scheduler all the same, so that the number of tries matters. */
  retriesIdle: boolean;
  /** Whether a prompt is computed before the decode worker has room for it, or the other way round. */
  prefillsFirst: boolean;
  /** Whether the cache tiers below the GPU's can be simulated. */
  hasTiers: boolean;
  /** Whether a decode worker can compute a prompt itself. */
  decodesWhole: boolean;
  /** Whether the reference lets prefill and decode workers be of this type. */
  isSplitInReference: boolean;
  /** Whether every release of the reference knows its length limit. */
  limitsLength: boolean;
}

/** A setting of an engine that costs neither memory nor GPUs. */
export interface Tunable {
  /** Its name among the engine's arguments, as in `sglang.schedule_policy`. */
  path: string;
  value: number | string | boolean;
  /** What else it could be; a number can be any other. */
  instead?: string | boolean;
}

/** What settings have to know of a type of engine; the engine itself has a folder of its own. */
export interface EngineType {
  /** As `engine_type` has it. */
  readonly name: string;
  readonly traits: EngineTraits;
  /** Arguments that only this type reads, or it and few others; all types accept them. */
  readonly fields: FieldRules;
  /** Arguments of all types that this one does not read, each with the reason, to follow "it". */
  ignored(args: EngineArgs, rules: Rules): Readonly<Record<string, string>>;
  /** The argument for the part of the GPU's memory that it may take, where its KV pool follows from that. */
  readonly memoryKey: string;
  /** Tokens of a block where the arguments do not say. */
  blockTokens(values: FieldValues): number;
  /** Settings by which a run can be made better or worse, with their values. */
  tunables(args: EngineArgs): Tunable[];
  /** Looks for arguments that exclude each other. @param refuse throws, with the name of the arguments before the problem */
  check(args: EngineArgs, refuse: (problem: string) => never, liberties: Liberties): void;
}
