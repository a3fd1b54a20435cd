import { AicError } from '../../timing/aic/aic-error.js';
import { openEstimator } from '../../timing/aic/open.js';
import { DEFAULT_VERSIONS } from '../../timing/aic/versions.js';
import type { OptimizeSpec } from './spec.js';

/** The versions that the reference's search times engines with. */
const REFERENCE_VERSIONS = { vllm: '0.14.0', sglang: '0.5.6.post2' };
const PROBE_TOKENS = 128;

/**
 * Version of the timing tables for a search: the reference's, or the default one where a folder has no rows of that.
 * @returns with a warning where it is not the reference's
 */
export function timingVersion(
  { engine, hardware }: Pick<OptimizeSpec, 'engine' | 'hardware'>,
  systemsFolder: string,
): { version: string; warning?: string } {
  const wanted = REFERENCE_VERSIONS[engine.backend];
  const other = DEFAULT_VERSIONS[engine.backend];
  const question = {
    backend: engine.backend,
    system: hardware.gpuSku,
    modelPath: engine.model,
    tensorParallel: 1,
    moeTensorParallel: 1,
    moeExpertParallel: 1,
    attentionDataParallel: 1,
    dtypes: {},
    draftTokens: 0,
  };
  const isThere = (version: string): boolean => {
    try {
      const estimator = openEstimator(systemsFolder, { ...question, version });
      estimator.prefillMs(1, PROBE_TOKENS, 0);
      return true;
    } catch (error) {
      if (error instanceof AicError) return false;
      throw error;
    }
  };
  if (isThere(wanted) || !isThere(other)) return { version: wanted };
  return {
    version: other,
    warning: `the tables have no ${engine.backend} ${wanted}, which the reference's search times with, for ${hardware.gpuSku}; timing is of ${other}`,
  };
}
