import type { EngineArgs } from '../../config/engine-type.js';
import type { PrefillPause } from './prefill-pause.js';
import type { SglangRules } from './rules.js';

/** The engine arguments that a scheduler goes by. */
type SchedulerArgs = Pick<
  EngineArgs,
  'workerType' | 'maxSequences' | 'maxModelTokens' | 'prefixCaching' | 'acceptRates' | 'speculationSeed'
>;

/** Arguments of SGLang itself, defaults filled in. Counts in tokens. */
export interface SglangSettings {
  longestPrefixFirst: boolean;
  maxPrefillTokens: number;
  chunkedPrefillTokens: number;
  clipMaxNewTokens: number;
  conservativeness: number;
}

/** How one scheduler behaves. Blocks are called pages here, as SGLang does. */
export interface SglangOptions extends SchedulerArgs, SglangSettings {
  pageTokens: number;
  pages: number;
  /** Keeps prefills apart; undefined where they may follow each other. */
  pause: PrefillPause | undefined;
  rules: SglangRules;
  /** Whether uneventful passes may be planned; off, every pass visits every request. */
  plansAhead: boolean;
}
