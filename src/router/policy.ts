import type { PolicyClass, PolicyProfile } from '../config/router-policy.js';

/** The single class of a router without a policy file. */
export function singleClass(
  queuePolicy: PolicyClass['queuePolicy'],
  busyFraction: number | undefined,
): PolicyProfile {
  const only: PolicyClass = {
    name: 'default',
    queuePolicy,
    quantum: 1,
    busyTokens: undefined,
    busyFraction,
    requestLimit: undefined,
    inputTokenLimit: undefined,
    cachedTokenLimit: undefined,
  };
  return {
    classes: [only],
    explicit: new Map(),
    families: new Map(),
    defaultFamily: 0,
    bucketTokens: [0],
    table: [[0]],
  };
}

/** Index of the class of a request. */
export function classOf(profile: PolicyProfile, name: string | undefined, uncachedTokens: number): number {
  const explicit = name === undefined ? undefined : profile.explicit.get(name);
  if (explicit !== undefined) return explicit;
  const family = (name === undefined ? undefined : profile.families.get(name)) ?? profile.defaultFamily;
  let bucket = 0;
  while (bucket + 1 < profile.bucketTokens.length && profile.bucketTokens[bucket + 1] <= uncachedTokens)
    bucket++;
  return profile.table[family][bucket];
}
