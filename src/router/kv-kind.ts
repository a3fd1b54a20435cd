import type { RouterSettings } from '../config/router-config.js';
import { KvRouter } from './kv-router.js';
import { LaggedRouter } from './lagged.js';
import { singleClass } from './policy.js';
import type { RoutedPool, RouterKind } from './router.js';

/** Seed of the reference's seeded build. */
const DEFAULT_SEED = 0xd1a05eedn;
/** Tokens of a pass where the engine sets no limit. */
const UNLIMITED_TOKENS = 10_000_000;

/** What of the settings does not count in a stage: prefill workers hold no output, decode workers compute no prompt. */
function settingsOf(stage: RoutedPool['stage'], settings: RouterSettings): RouterSettings {
  if (stage === 'prefill') return { ...settings, tracksBlocks: false };
  if (stage === 'decode')
    return { ...settings, overlapCredit: 0, assumesReuse: false, tracksPrefill: false, loadModel: 'none' };
  return settings;
}

export const kvRouter: RouterKind = {
  name: 'kv_router',
  isBlind: false,
  create(
    { settings, seed, estimator, eventLagMs },
    { stage, blockTokens, maxBatchedTokens, queuePolicy, names },
  ) {
    const used = settingsOf(stage, settings);
    const { overlapCredit, hostCredit, overlapCreditDecay, prefillLoadScale, activeRequestWeight } = used;
    const { tracksPrefill, temperature, tracksBlocks, assumesReuse } = used;
    const router = new KvRouter({
      weights: {
        overlapCredit,
        hostCredit,
        overlapCreditDecay,
        prefillLoadScale,
        activeRequestWeight,
        tracksPrefill,
        temperature,
      },
      tracksBlocks,
      assumesReuse,
      listens: stage !== 'decode',
      policy: used.policy ?? singleClass(queuePolicy ?? used.queuePolicy, used.queueThreshold),
      blockTokens,
      maxBatchedTokens: Math.min(maxBatchedTokens, UNLIMITED_TOKENS),
      seed: seed ?? DEFAULT_SEED,
      estimator: stage === 'decode' ? undefined : estimator,
    });
    return router.listens && eventLagMs > 0 && names ? new LaggedRouter(router, eventLagMs, names) : router;
  },
};
