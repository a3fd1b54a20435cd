import { type Fit, fitSamples } from './fit.js';
import { SampleStore } from './sample-store.js';
import { AXES, largest, type Work, type WorkKind } from './work.js';

/** How long passes take, learned from passes seen. */
export interface PassTimes {
  /** Whether it knows enough to be asked. */
  readonly isReady: boolean;
  /** @param ranks what each rank of a worker did, all in one pass */
  learn(ranks: readonly Work[], milliseconds: number): void;
  /** Milliseconds of a pass; `undefined` when nothing is known about passes of its kind. */
  milliseconds(ranks: readonly Work[]): number | undefined;
}

export interface SampleLimits {
  readonly minSamples: number;
  readonly maxSamples: number;
  /** Cells of each store; a square number, for two axes. */
  readonly buckets: number;
}

/** Fits for passes that only prefill, that only decode, and that do both. */
export class LearnedPassTimes implements PassTimes {
  private readonly stores: Record<WorkKind, SampleStore>;
  /** Fits of what is in the stores; made again only when asked after something was added. */
  private readonly fits = new Map<WorkKind, Fit | undefined>();

  constructor(private readonly limits: SampleLimits) {
    const store = (kind: WorkKind) => {
      const buckets = AXES[kind] === 1 ? limits.buckets : Math.floor(Math.sqrt(limits.buckets));
      return new SampleStore(AXES[kind], buckets, limits.maxSamples);
    };
    this.stores = { prefill: store('prefill'), decode: store('decode'), mixed: store('mixed') };
  }

  get isReady(): boolean {
    return (['prefill', 'decode', 'mixed'] as const).some((kind) => this.fit(kind) !== undefined);
  }

  learn(ranks: readonly Work[], milliseconds: number): void {
    const size = largest(ranks);
    if (typeof size === 'string') return;
    this.stores[size.kind].add(size.x, milliseconds);
    this.fits.delete(size.kind);
  }

  milliseconds(ranks: readonly Work[]): number | undefined {
    const size = largest(ranks);
    if (size === 'idle') return 0;
    return size === 'inconsistent' ? undefined : this.fit(size.kind)?.(size.x);
  }

  private fit(kind: WorkKind): Fit | undefined {
    if (!this.fits.has(kind)) {
      const store = this.stores[kind];
      const { minSamples } = this.limits;
      this.fits.set(kind, store.size < minSamples ? undefined : fitSamples(store.samples(), minSamples));
    }
    return this.fits.get(kind);
  }
}
