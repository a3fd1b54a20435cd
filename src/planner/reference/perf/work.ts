/** What a pass computes on one rank. */
export interface Work {
  readonly prefillRequests: number;
  readonly prefillTokens: number;
  /** Prompt tokens found cached. */
  readonly prefillCachedTokens: number;
  readonly decodeRequests: number;
  readonly decodeTokens: number;
}

export type WorkKind = 'prefill' | 'decode' | 'mixed';

/** Size of a pass along the axes of its kind. */
export interface WorkSize {
  readonly kind: WorkKind;
  readonly x: readonly number[];
}

/** Axes of each kind: prompt tokens; requests and cached tokens; prompt tokens and cached tokens. */
export const AXES: Readonly<Record<WorkKind, number>> = { prefill: 1, decode: 2, mixed: 2 };

/** @returns `undefined` for a pass without work */
function sizeOf(work: Work): WorkSize | undefined {
  const { prefillTokens, decodeRequests, decodeTokens } = work;
  const decodes = decodeRequests > 0 || decodeTokens > 0;
  if (prefillTokens > 0)
    return decodes
      ? { kind: 'mixed', x: [prefillTokens, decodeTokens] }
      : { kind: 'prefill', x: [prefillTokens] };
  return decodes ? { kind: 'decode', x: [decodeRequests, decodeTokens] } : undefined;
}

/** Tokens that belong to no request: nothing can be said about such a pass. */
function isInconsistent(work: Work): boolean {
  return (
    (work.prefillTokens > 0 && work.prefillRequests === 0) ||
    (work.decodeTokens > 0 && work.decodeRequests === 0)
  );
}

/** The size of a pass of several ranks is that of its busiest rank. */
export function largest(ranks: readonly Work[]): WorkSize | 'idle' | 'inconsistent' {
  if (ranks.some(isInconsistent)) return 'inconsistent';
  let best: WorkSize | undefined;
  let bestSum = 0;
  for (const work of ranks) {
    const size = sizeOf(work);
    if (!size) continue;
    const sum = size.x.reduce((total, value) => total + value, 0);
    if (best && sum < bestSum) continue;
    best = size;
    bestSum = sum;
  }
  return best ?? 'idle';
}
