import type { Rules, Semantics } from '../../config/rules.js';
import type { PassClock } from '../../timing/pass-clock.js';

/** Requests that wait: a request goes to the end, or before the first that came after it. */
interface Line {
  pushBack(slot: number): void;
  insert(slot: number): void;
}

/**
 * Where releases of the reference differ in how they schedule. Each member is one difference, so that the scheduler
 * knows none of the releases.
 */
export interface VllmRules {
  /** Whether the pass that computes a prompt emits its first token, where the worker decodes too. */
  promptsEmit(speculates: boolean): boolean;
  /** Whether every pass of a stretch takes longer than the one before, since contexts grow. */
  readonly passesDiffer: boolean;
  /** Time of a decode step. @param tokens known tokens of all requests that decode */
  decodeMs(clock: PassClock, batch: number, tokens: number, activeBlocks: number): number;
  /** A request whose prompt has arrived takes its place among those that wait. */
  activate(line: Line, slot: number): void;
  /** Whether a decode worker refuses what can never run there before its prompt is transferred. */
  readonly refusesAtOnce: boolean;
  /** Whether a router hears of blocks at the end of the pass that stores or evicts them, rather than at once. */
  readonly publishesAtEnd: boolean;
  /** Whether TensorRT-LLM looks for blocks of an arriving prompt in its cache. */
  readonly destinationsReuse: boolean;
  /** Whether a request is refused that cannot reach its last token in an empty cache, or whose prompt fits no pass. */
  readonly refusesOutgrowing: boolean;
}

/** Decode time by the blocks in use; prompts emit with the decode step that follows them. */
const BY_BLOCKS: VllmRules = {
  promptsEmit: () => false,
  passesDiffer: false,
  decodeMs: (clock, batch, tokens, activeBlocks) =>
    clock.decodeMs(batch, activeBlocks, Math.floor(tokens / batch)),
  activate: (line, slot) => line.pushBack(slot),
  refusesAtOnce: false,
  publishesAtEnd: false,
  destinationsReuse: true,
  refusesOutgrowing: false,
};

/** Decode time by the tokens that the decoding requests know, whoever shares their blocks. */
const BY_TOKENS: VllmRules = {
  promptsEmit: (speculates) => !speculates,
  passesDiffer: true,
  decodeMs: (clock, batch, tokens) => clock.decodeTokensMs(batch, tokens),
  activate: (line, slot) => line.insert(slot),
  refusesAtOnce: true,
  publishesAtEnd: true,
  destinationsReuse: false,
  refusesOutgrowing: false,
};

const RELEASES: Record<Semantics, VllmRules> = {
  'dynamo-1.4.2': BY_BLOCKS,
  'dynamo-1.6': BY_TOKENS,
};

/** What engines do where every release errs. */
const MENDED: Partial<VllmRules> = { promptsEmit: () => true, refusesOutgrowing: true };

export function vllmRules({ semantics, mendsFaults }: Rules): VllmRules {
  return mendsFaults ? { ...RELEASES[semantics], ...MENDED } : RELEASES[semantics];
}
