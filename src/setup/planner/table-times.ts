import type { PlannerConfig } from '../../planner/reference/config.js';
import type { NativeTimes } from '../../planner/reference/engine-models.js';
import type { EngineRole } from '../../planner/reference/perf/engine-model.js';
import type { Work } from '../../planner/reference/perf/work.js';
import { AicError } from '../../timing/aic/aic-error.js';
import type { PassEstimator } from '../../timing/aic/estimator.js';
import { openEstimator } from '../../timing/aic/open.js';
import { DEFAULT_VERSIONS } from '../../timing/aic/versions.js';

/**
 * Pass times of the engines that a planner configuration describes, from AI Configurator tables.
 * @param folder of the tables
 * @returns nothing for configurations without such a description; for stages whose tables are missing the planner learns
 */
export function plannerTimes({ perfModel }: PlannerConfig, draftTokens: number, folder: string): NativeTimes {
  return (role: EngineRole) => {
    const pick = role === 'prefill' ? perfModel?.prefillPick : perfModel?.decodePick;
    if (!perfModel || !pick) return undefined;
    const { modelPath, system, backend, version, dtypes } = perfModel;
    try {
      const estimator = openEstimator(folder, {
        backend,
        system,
        version: version ?? DEFAULT_VERSIONS[backend],
        modelPath,
        tensorParallel: pick.tensor,
        moeTensorParallel: pick.moeTensor,
        moeExpertParallel: pick.moeExpert,
        attentionDataParallel: pick.data,
        dtypes: { gemm: dtypes.weight, moe: dtypes.moe, fmha: dtypes.activation, kvcache: dtypes.kvCache },
        draftTokens: role === 'prefill' ? 0 : draftTokens,
      });
      return (ranks) => slowest(estimator, ranks);
    } catch (error) {
      if (error instanceof AicError) return undefined;
      throw error;
    }
  };
}

/** Ranks of a worker end together. */
function slowest(estimator: PassEstimator, ranks: readonly Work[]): number | undefined {
  try {
    return Math.max(...ranks.map((work) => passMs(estimator, work)));
  } catch (error) {
    if (error instanceof AicError) return undefined;
    throw error;
  }
}

function passMs(estimator: PassEstimator, work: Work): number {
  const { prefillRequests, prefillTokens, prefillCachedTokens, decodeRequests, decodeTokens } = work;
  const context = decodeRequests > 0 ? Math.floor(decodeTokens / decodeRequests) : 0;
  if (prefillTokens === 0) return decodeRequests > 0 ? estimator.decodeMs(decodeRequests, context) : 0;
  const prompt = Math.max(1, Math.floor(prefillTokens / prefillRequests));
  const prefix = Math.floor(prefillCachedTokens / prefillRequests);
  if (decodeRequests > 0) return estimator.mixedMs(prefillTokens, prompt, prefix, decodeRequests, context);
  return estimator.prefillMs(Math.ceil(prefillTokens / prompt), prompt + prefix, prefix);
}
