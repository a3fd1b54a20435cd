import { isLatent, type ModelSpec } from '../aic/model.js';
import { formatCost } from '../aic/quant.js';
import type { RooflineOptions } from './roofline.js';

const VALUE_BYTES = 2;
/** Widths of latent attention (DeepSeek V3). */
const QUERY_RANK = 1536;
const NOPE = 128;

/** Weights of a model, in values. */
interface Weights {
  /** Attention and dense parts of all layers, and the output head. */
  dense: number;
  head: number;
  /** One expert over all layers. */
  expert: number;
}

function countWeights(model: ModelSpec): Weights {
  const { hidden, heads, kvHeads, headSize, layers, vocabulary, intermediate, experts } = model;
  const attention = isLatent(model)
    ? hidden * (QUERY_RANK + model.kvLoraRank + model.ropeHeadSize) +
      heads * (QUERY_RANK * (NOPE + model.ropeHeadSize) + model.kvLoraRank * 2 * NOPE + NOPE * hidden)
    : hidden * headSize * (2 * heads + 2 * kvHeads);
  const shared = isLatent(model) ? 3 * hidden * model.expertIntermediate : 0;
  const routed = experts > 0 ? layers - model.denseLayers : 0;
  return {
    dense:
      layers * attention +
      (layers - routed) * 3 * hidden * intermediate +
      routed * (hidden * experts + shared),
    head: hidden * vocabulary,
    expert: routed * 3 * hidden * model.expertIntermediate,
  };
}

/** Bytes of a model's weights on one GPU. */
export function weightBytesPerGpu({ model, quant, parallel }: RooflineOptions): number {
  const { dense, head, expert } = countWeights(model);
  const denseBytes = dense * formatCost('gemm', quant.gemm)!.bytes;
  const expertBytes = expert * model.experts * formatCost('moe', quant.moe)!.bytes;
  const heads = model.tiesEmbeddings ? 1 : 2;
  const expertGpus = parallel.moeTensor * parallel.moeExpert;
  return (denseBytes + heads * head * VALUE_BYTES) / parallel.tensor + expertBytes / expertGpus;
}
