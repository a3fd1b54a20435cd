import type { EngineArgs } from '../config/engine-args.js';
import type { RouterSettings } from '../config/router-config.js';
import { KvRouter } from '../router/kv-router.js';
import { singleClass } from '../router/policy.js';
import type { PrefillEstimator } from '../router/prefill-load.js';

/** Seed of the reference's seeded build. */
const DEFAULT_SEED = 0xd1a05eedn;
/** Tokens of a pass where the engine sets no limit. */
const UNLIMITED_TOKENS = 10_000_000;

/** The KV router of a pool of workers. */
export function createRouter(
  settings: RouterSettings,
  args: EngineArgs,
  seed: bigint | undefined,
  estimator: PrefillEstimator | undefined,
): KvRouter {
  const queuePolicy = args.routerQueuePolicy ?? settings.queuePolicy;
  const { overlapCredit, hostCredit, overlapCreditDecay, prefillLoadScale, activeRequestWeight } = settings;
  const { tracksPrefill, temperature, tracksBlocks, assumesReuse } = settings;
  return new KvRouter({
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
    policy: settings.policy ?? singleClass(queuePolicy, settings.queueThreshold),
    blockTokens: args.blockTokens,
    maxBatchedTokens: Math.min(args.maxBatchedTokens, UNLIMITED_TOKENS),
    seed: seed ?? DEFAULT_SEED,
    estimator,
  });
}
