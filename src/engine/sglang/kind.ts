import type { FieldValues } from '../../config/fields.js';
import type { EngineKind } from '../kind.js';
import type { SglangSettings } from './options.js';
import { PrefillPause } from './prefill-pause.js';
import { sglangRules } from './rules.js';
import { SglangScheduler } from './scheduler.js';

const count = { type: 'uint', null: 'unset' } as const;

/** Arguments of SGLang itself; counts in tokens. */
interface SglangFields {
  schedule_policy?: string;
  page_size?: number;
  max_prefill_tokens?: number;
  chunked_prefill_size?: number;
  clip_max_new_tokens?: number;
  schedule_conservativeness?: number;
}

function ownFields(values: FieldValues): SglangFields {
  return (values.sglang ?? {}) as SglangFields;
}

/** Its own settings, with the defaults of the reference. */
function settings(values: FieldValues): SglangSettings {
  const own = ownFields(values);
  return {
    longestPrefixFirst: own.schedule_policy === 'lpm',
    maxPrefillTokens: own.max_prefill_tokens ?? 16384,
    chunkedPrefillTokens: own.chunked_prefill_size ?? 8192,
    clipMaxNewTokens: own.clip_max_new_tokens ?? 4096,
    conservativeness: own.schedule_conservativeness ?? 1,
  };
}

/** Looks for values that have no meaning. */
function checkValues(
  given: FieldValues,
  { blockTokens, ranks }: { blockTokens: number; ranks: number },
  refuse: (problem: string) => never,
): void {
  const { chunkedPrefillTokens, maxPrefillTokens, conservativeness } = settings(given);
  if (maxPrefillTokens === 0) refuse('sglang.max_prefill_tokens must be positive');
  if (Math.floor(chunkedPrefillTokens / ranks) === 0) refuse('sglang.chunked_prefill_size must be positive');
  if (chunkedPrefillTokens % blockTokens !== 0)
    refuse(
      `sglang.chunked_prefill_size (${chunkedPrefillTokens}) must be divisible by block_size (${blockTokens})`,
    );
  if (!(conservativeness >= 0 && Number.isFinite(conservativeness)))
    refuse(`sglang.schedule_conservativeness must be finite and not negative, found ${conservativeness}`);
}

const FOREIGN = 'is not for engine_type sglang';

export const sglang: EngineKind = {
  name: 'sglang',
  traits: {
    hasRadixTree: true,
    retriesIdle: true,
    prefillsFirst: false,
    hasTiers: false,
    decodesWhole: false,
    isSplitInReference: true,
    limitsLength: false,
  },
  fields: {
    prefill_decode_interval: { type: 'uint' },
    sglang: {
      type: 'object',
      null: 'unset',
      fields: {
        schedule_policy: { type: 'string', null: 'unset' },
        page_size: count,
        max_prefill_tokens: count,
        chunked_prefill_size: count,
        clip_max_new_tokens: count,
        schedule_conservativeness: { type: 'float', null: 'unset' },
      },
    },
  },
  ignored: ({ prefixCaching, estimatesBlocks }, rules) => ({
    enable_chunked_prefill: FOREIGN,
    g1_backend: FOREIGN,
    ...(!estimatesBlocks && { max_num_batched_tokens: FOREIGN }),
    ...(!prefixCaching &&
      !sglangRules(rules).mayCacheNothing && {
        enable_prefix_caching: `is always on for sglang in ${rules.semantics}`,
      }),
  }),
  memoryKey: 'mem_fraction_static',
  blockTokens: (values) => ownFields(values).page_size ?? 1,
  check({ given, blockTokens, ranks, chunkedPrefill }, refuse, { takesAnyValue, contradicts }) {
    const { page_size: page, chunked_prefill_size: chunk } = ownFields(given);
    if (page !== undefined && page !== blockTokens && !contradicts)
      refuse(`block_size (${blockTokens}) and sglang.page_size (${page}) must match when both are set`);
    if (chunk !== undefined && chunk % blockTokens !== 0)
      refuse(`sglang.chunked_prefill_size (${chunk}) must be divisible by block_size (${blockTokens})`);
    if (takesAnyValue) return;
    if (!chunkedPrefill) refuse('enable_chunked_prefill=false is not supported for engine_type=sglang');
    checkValues(given, { blockTokens, ranks }, refuse);
  },
  tunables({ maxSequences, given }) {
    const own = settings(given);
    return [
      { path: 'max_num_seqs', value: maxSequences },
      { path: 'sglang.chunked_prefill_size', value: own.chunkedPrefillTokens },
      { path: 'sglang.max_prefill_tokens', value: own.maxPrefillTokens },
      { path: 'sglang.schedule_policy', value: own.longestPrefixFirst ? 'lpm' : 'fcfs', instead: 'lpm' },
    ];
  },
  maker({ args, clock, requests, blocks, log, gaps, isCapped, listenersOf, ...parts }) {
    const own = settings(args.given);
    const rules = sglangRules(parts.rules);
    const interval = (args.given.prefill_decode_interval ?? 0) as number;
    const pauses: PrefillPause[] = [];
    const pauseOf = (rank: number): PrefillPause | undefined => {
      const worker = Math.floor(rank / args.ranks);
      if (interval > 0) pauses[worker] ??= new PrefillPause(interval);
      return pauses[worker];
    };
    return {
      tiers: undefined,
      create: (rank) =>
        new SglangScheduler(
          {
            ...args,
            pageTokens: args.blockTokens,
            pages: args.gpuBlocks,
            ...own,
            ...rules.ofRank(own, args.ranks),
            pause: pauseOf(rank),
            rules,
            prefixCaching: rules.mayCacheNothing ? args.prefixCaching : true,
            speculationSeed: args.speculationSeed + BigInt(rank),
            plansAhead: !isCapped,
          },
          clock,
          { requests, blocks, log, gaps, events: listenersOf(rank)?.gpu },
        ),
    };
  },
};
