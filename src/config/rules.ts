/** Releases whose behaviour is simulated, the default first. */
export const SEMANTICS = ['dynamo-1.4.2', 'dynamo-1.6'] as const;
export type Semantics = (typeof SEMANTICS)[number];

/** Whose rules a simulation follows. */
export interface Rules {
  readonly semantics: Semantics;
  /** Whether what the reference refuses is allowed, and what it reads and ignores works. */
  readonly beyondReference: boolean;
  /** Whether engines do what real ones do where the release that is simulated errs. */
  readonly mendsFaults: boolean;
}
