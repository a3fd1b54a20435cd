import { fusedMs } from '../aic/aic-timing.js';
import { PassEstimator } from '../aic/estimator.js';
import type { TimingModel } from '../timing-model.js';
import { ENGINES, type EngineConstants } from './constants.js';
import { type FormulaOptions, FormulaTimes } from './formula-times.js';

/** A model on GPUs of a data sheet. */
export interface RooflineOptions extends FormulaOptions {
  engine?: EngineConstants | undefined;
  /** Whether passes with prompts and decodes read weights once; else the two are added. */
  isFused?: boolean | undefined;
}

/** A part of a pass and its time. */
export interface PassPart {
  name: string;
  ms: number;
}

const US = 1000;

/** Pass times by formula: the operations of a pass, and what the engine adds to them. */
export class RooflineTiming implements TimingModel {
  readonly readsContext = true;
  readonly mixedMs: TimingModel['mixedMs'];
  private readonly estimator: PassEstimator;
  private readonly passMs: number;
  private readonly sequenceMs: number;

  constructor(options: RooflineOptions) {
    this.estimator = new PassEstimator(new FormulaTimes(options), options);
    const { passUs, sequenceUs } = options.engine ?? ENGINES[options.backend] ?? ENGINES.vllm;
    if (options.isFused)
      this.mixedMs = (prompts, decodes, context) =>
        fusedMs(this.estimator, prompts, decodes, context) + this.passMs + this.sequenceMs * decodes;
    this.passMs = passUs / US;
    this.sequenceMs = sequenceUs / US;
  }

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    return this.estimator.prefillMs(batch, newTokens + prefixTokens, prefixTokens) + this.passMs;
  }

  decodeMs(batch: number, _activeTokens: number, contextTokens: number): number {
    return this.estimator.decodeMs(batch, contextTokens) + this.passMs + this.sequenceMs * batch;
  }

  /** A pass part by part. @param tokens of the prompt, or of the context */
  breakdown(isPrefill: boolean, batch: number, tokens: number, prefix: number): PassPart[] {
    const phase = isPrefill ? 'context' : 'generation';
    return [
      ...this.estimator.breakdown(phase, batch, tokens, prefix),
      { name: 'engine', ms: this.passMs + (isPrefill ? 0 : this.sequenceMs * batch) },
    ];
  }
}
