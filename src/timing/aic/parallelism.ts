import { AicError } from './aic-error.js';
import type { ModelSpec } from './model.js';
import type { QuantModes } from './quant.js';

/** How a model is spread over GPUs; counts. */
export interface Parallelism {
  tensor: number;
  moeTensor: number;
  moeExpert: number;
  attentionData: number;
}

/** @throws {AicError} for a layout that the model cannot have */
export function checkParallelism(model: ModelSpec, quant: QuantModes, parallel: Parallelism): void {
  const { tensor, moeTensor, moeExpert, attentionData } = parallel;
  if (model.heads % tensor !== 0)
    throw new AicError(`aic_tp_size: num_heads ${model.heads} must be divisible by it, found ${tensor}`);
  if (model.family === 'LLAMA') return;
  if (tensor * attentionData !== moeTensor * moeExpert)
    throw new AicError(
      `aic_moe_tp_size * aic_moe_ep_size (${moeTensor} * ${moeExpert}) must equal aic_tp_size * aic_attention_dp_size (${tensor} * ${attentionData})`,
    );
  if (moeExpert > model.experts)
    throw new AicError(
      `aic_moe_ep_size: must not exceed the ${model.experts} experts of the model, found ${moeExpert}`,
    );
  const block = model.weightBlockTokens;
  if (quant.moe === 'fp8_block' && Math.floor(model.expertIntermediate / moeTensor) % block !== 0)
    throw new AicError(
      `aic_moe_tp_size: the expert width ${model.expertIntermediate} / ${moeTensor} must be divisible by the weight block ${block}`,
    );
}
