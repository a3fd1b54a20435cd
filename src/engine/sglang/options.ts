import type { PrefillPause } from './prefill-pause.js';
import type { SglangRules } from './rules.js';

/** How one scheduler behaves. Counts in tokens unless named otherwise; Infinity where unlimited. */
export interface SglangOptions {
  role: 'aggregated' | 'prefill' | 'decode';
  pageTokens: number;
  pages: number;
  maxSequences: number;
  maxModelTokens: number | undefined;
  prefixCaching: boolean;
  longestPrefixFirst: boolean;
  maxPrefillTokens: number;
  chunkedPrefillTokens: number;
  clipMaxNewTokens: number;
  conservativeness: number;
  acceptRates: readonly number[] | undefined;
  speculationSeed: bigint;
  /** Keeps prefills apart; undefined where they may follow each other. */
  pause: PrefillPause | undefined;
  rules: SglangRules;
  /** Whether uneventful passes may be planned; off, every pass visits every request. */
  plansAhead: boolean;
}
