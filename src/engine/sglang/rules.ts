import type { Rules, Semantics } from '../../config/rules.js';

/** What is known of the running requests when some were retracted, before the others emit. */
interface Survivors {
  count: number;
  /** Output tokens so far, and those that were asked for. */
  outputTokens: number;
  maxOutputTokens: number;
}

/** Settings that ranks may share. */
interface RankSettings {
  chunkedPrefillTokens: number;
  conservativeness: number;
}

/** The budgets of a pass, in tokens: what is left of that for chunks, and how it begins. */
interface ChunkBudget {
  left: number;
  full: number;
}

/**
 * Where releases of the reference differ in how they schedule. Each member is one difference, so that the scheduler
 * knows none of the releases.
 */
export interface SglangRules {
  /** Whether prefix caching can be switched off. */
  readonly mayCacheNothing: boolean;
  /** Whether a prompt is looked for in the cache as a whole before it is charged, so that hits cost no budget. */
  readonly hitsAreFree: boolean;
  /** Whether every chunk of a prompt is noted as an admission, with what came before it as reused. */
  readonly chunksAreAdmissions: boolean;
  /** What of the settings one of the ranks of a worker goes by. */
  ofRank(settings: RankSettings, ranks: number): RankSettings;
  /** Tokens of the next chunk when `rest` are left of a prompt; -1 when it must wait. */
  chunk(rest: number, budget: ChunkBudget, pageTokens: number): number;
  /** Whether a pass that prefills gives first tokens only, and lets running requests stand still. */
  readonly prefillsApart: boolean;
  /** Retracted requests go back to the queue. */
  requeue(waiting: number[], retracted: readonly number[]): void;
  /** The new-token ratio after a retraction; undefined for the one of the start, which falls with the same pass. */
  ratioAfterRetraction(survivors: Survivors): number | undefined;
  /** Whether an idle pass that lowers the ratio counts as an effect, so that another follows at once. */
  readonly idlesToFloor: boolean;
  /** Whether a request is refused that cannot reach its last token in an empty cache. */
  readonly refusesOutgrowing: boolean;
}

/** Every pass prefills what its budgets admit and then decodes one step for all. */
const MIXED: SglangRules = {
  mayCacheNothing: false,
  hitsAreFree: false,
  chunksAreAdmissions: true,
  ofRank: (settings) => settings,
  chunk(rest, { left, full }, pageTokens) {
    if (rest <= full) return rest;
    return Math.min(rest, Math.floor(Math.trunc(left) / pageTokens) * pageTokens) || -1;
  },
  prefillsApart: false,
  requeue: (waiting, retracted) => void waiting.unshift(...retracted),
  ratioAfterRetraction: () => undefined,
  idlesToFloor: false,
  refusesOutgrowing: false,
};

/** Output tokens that each survivor of a retraction is taken to have had already. */
const SURVIVOR_BONUS = 20;

/** Part of the conservativeness that several ranks keep. */
const RANK_CONSERVATIVENESS = 0.3;

/** A pass prefills, or it decodes. */
const APART: SglangRules = {
  mayCacheNothing: true,
  hitsAreFree: true,
  chunksAreAdmissions: false,
  ofRank({ chunkedPrefillTokens, conservativeness }, ranks) {
    if (ranks === 1) return { chunkedPrefillTokens, conservativeness };
    return {
      chunkedPrefillTokens: Math.floor(chunkedPrefillTokens / ranks),
      conservativeness: conservativeness * RANK_CONSERVATIVENESS,
    };
  },
  chunk(rest, { left }, pageTokens) {
    if (Math.ceil(rest / pageTokens) * pageTokens <= left) return rest;
    return Math.min(rest, Math.floor(Math.trunc(left) / pageTokens) * pageTokens) || -1;
  },
  prefillsApart: true,
  requeue: (waiting, retracted) => void waiting.push(...retracted),
  ratioAfterRetraction: ({ count, outputTokens, maxOutputTokens }) =>
    Math.min(1, (outputTokens + SURVIVOR_BONUS * count) / (maxOutputTokens + 1)),
  idlesToFloor: true,
  refusesOutgrowing: false,
};

const RELEASES: Record<Semantics, SglangRules> = {
  'dynamo-1.4.2': MIXED,
  'dynamo-1.6': APART,
};

/**
 * What SGLang does without `--enable-mixed-chunk`, whatever the release makes of it. How often idle passes are tried is
 * no matter of the engine, so that it stays with the release.
 */
export function sglangRules({ semantics, mendsFaults }: Rules): SglangRules {
  const release = RELEASES[semantics];
  return mendsFaults ? { ...APART, idlesToFloor: release.idlesToFloor, refusesOutgrowing: true } : release;
}
