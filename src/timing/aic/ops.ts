/** The operations that a pass is made of, with their shapes; `count` is how often each happens in a pass. */
interface Named {
  name: string;
  count: number;
}

export type Gemm = Named & { kind: 'gemm'; n: number; k: number; mode: string; lowPrecisionInput: boolean };
export type Attention = Named & {
  kind: 'contextAttention' | 'generationAttention';
  heads: number;
  kvHeads: number;
  headSize: number;
  /** Tokens that attention looks back at most; 0 for all. */
  windowTokens: number;
  normalizesQueryKey: boolean;
};
export type Mla = Named & {
  kind: 'contextMla' | 'contextModule' | 'generationMla' | 'generationModule';
  heads: number;
};
export type MlaBmm = Named & { kind: 'mlaBmm'; heads: number; mode: string; isPre: boolean };
type Moe = Named & { kind: 'moe'; distribution: string };
type Dispatch = Named & { kind: 'dispatch'; isPre: boolean };
export type Leaf =
  | (Named & { kind: 'embedding'; vocabulary: number })
  | (Named & { kind: 'memory'; bytesPerToken: number })
  | (Named & { kind: 'allReduce' | 'p2p' })
  | Gemm
  | Attention
  | Mla
  | MlaBmm
  | Moe
  | Dispatch;

/** Operations of which the first that has data counts, or the slower of two groups that run at once. */
export type Op =
  | Leaf
  | { kind: 'fallback'; name: string; primary: Leaf; otherwise: readonly Leaf[] }
  | { kind: 'overlap'; name: string; groups: readonly [readonly Leaf[], readonly Leaf[]] };

/** The operations that may come to count. */
export function leavesOf(op: Op): readonly Leaf[] {
  if (op.kind === 'fallback') return [op.primary, ...op.otherwise];
  return op.kind === 'overlap' ? op.groups.flat() : [op];
}
