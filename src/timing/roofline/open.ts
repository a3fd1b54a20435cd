import { AicError } from '../aic/aic-error.js';
import type { Parallelism } from '../aic/parallelism.js';
import { formatCost } from '../aic/quant.js';
import { findGpu, GPUS } from './gpus.js';
import { findModel, type ModelFormats } from './models.js';
import type { RooflineOptions } from './roofline.js';

/** What a user names: a GPU, a model, how it is split and its number formats. */
export interface RooflineQuestion {
  gpu: string;
  model: string;
  tensorParallel: number;
  attentionDataParallel?: number | undefined;
  moeTensorParallel?: number | undefined;
  moeExpertParallel?: number | undefined;
  /** Formats of the model's own files where none is given. */
  dtype?: string | undefined;
  moeDtype?: string | undefined;
  kvDtype?: string | undefined;
  peerToPeer?: boolean | undefined;
  linkGbps?: number | undefined;
}

const GIGA = 1e9;

/**
 * Finds the GPU and the model.
 * @param systemsFolder packaged model descriptions, where there are some
 * @param backend whose kernels run: vllm, sglang or trtllm
 * @throws {AicError} for an unknown GPU or model, naming the known ones
 */
export function rooflineOptions(
  question: RooflineQuestion,
  systemsFolder: string,
  backend = 'vllm',
): RooflineOptions {
  const gpu = findGpu(question.gpu);
  if (!gpu)
    throw new AicError(
      `timing.gpu: no ${question.gpu}; known are ${GPUS.map(({ name }) => name).join(', ')}`,
    );
  const { model, formats } = findModel(question.model, systemsFolder, backend);
  if (model.heads % question.tensorParallel !== 0)
    throw new AicError(
      `timing.tp: must divide the ${model.heads} heads of ${question.model}, found ${question.tensorParallel}`,
    );
  const { peerToPeer, linkGbps } = question;
  return {
    gpu,
    model,
    backend,
    draftTokens: 0,
    quant: { ...quantOf(question, formats), fmha: 'bfloat16' },
    parallel: parallelismOf(question, model.experts),
    link: { peerToPeer, bandwidth: linkGbps === undefined ? undefined : linkGbps * GIGA },
  };
}

/**
 * Formats as given, else the model's own. `fp8` means the model's own kind of it, and what is given for all leaves
 * experts alone that have a format of their own.
 */
function quantOf(question: RooflineQuestion, own: ModelFormats): ModelFormats {
  const kindOf = (given: string, own: string) => (given === 'fp8' && own.startsWith('fp8') ? own : given);
  const { dtype, moeDtype, kvDtype } = question;
  const gemm = dtype === undefined ? own.gemm : kindOf(dtype, own.gemm);
  const expertsApart = own.moe !== own.gemm && own.gemm === 'bfloat16';
  const moe = dtype === undefined || expertsApart ? own.moe : kindOf(dtype, own.moe);
  return {
    gemm,
    moe: moeDtype ?? (formatCost('moe', moe) ? moe : 'bfloat16'),
    kvcache: kvDtype ?? own.kvcache,
  };
}

/** @throws {AicError} for experts that cannot be spread so */
function parallelismOf(question: RooflineQuestion, experts: number): Parallelism {
  const { tensorParallel: tensor, attentionDataParallel: attentionData = 1 } = question;
  const gpus = tensor * attentionData;
  const moeExpert = question.moeExpertParallel ?? gpus / (question.moeTensorParallel ?? gpus);
  const moeTensor = question.moeTensorParallel ?? gpus / moeExpert;
  if (experts > 0 && moeTensor * moeExpert !== gpus)
    throw new AicError(
      `timing: moe_tp * ep (${moeTensor} * ${moeExpert}) must equal tp * dp (${tensor} * ${attentionData})`,
    );
  if (experts > 0 && (!Number.isInteger(moeTensor) || !Number.isInteger(moeExpert)))
    throw new AicError(`timing.ep: must divide the ${gpus} GPUs of tp and dp, found ${moeExpert}`);
  if (moeExpert > Math.max(experts, 1) && experts > 0)
    throw new AicError(`timing.ep: must not exceed the ${experts} experts of the model, found ${moeExpert}`);
  return { tensor, attentionData, moeTensor, moeExpert };
}
