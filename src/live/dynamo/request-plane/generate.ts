import { Fields, Float, uuidBytes, type WireValue, type Writable } from '../codec/value.js';
import type { Codec } from './messages.js';

/** What a worker needs of a preprocessed request; all else is the frontend's. */
export interface GenerateRequest {
  tokens: Uint32Array;
  maxTokens: number | undefined;
  annotations: readonly string[];
  /** Rank within the worker, where a router chose one. */
  rank: number | undefined;
  /** Set where a prefill and a decode worker meet for the prompt's KV. */
  bootstrap: Bootstrap | undefined;
}

/** Where a decode worker finds the prefill worker of its request. */
export interface Bootstrap {
  host: string;
  port: number;
  room: bigint;
  handoffId: string | undefined;
}

/** @throws {WireError} */
export function readGenerateRequest(value: WireValue): GenerateRequest {
  const request = Fields.of(value, 'request');
  const bootstrap = request.optionalFields('bootstrap_info');
  return {
    tokens: request.u32List('token_ids'),
    maxTokens: request.optionalFields('stop_conditions')?.optionalCount('max_tokens'),
    annotations: (request.optionalList('annotations') ?? []).filter((note) => typeof note === 'string'),
    rank: request.optionalFields('routing')?.optionalCount('dp_rank'),
    bootstrap: bootstrap && {
      host: bootstrap.text('bootstrap_host'),
      port: bootstrap.count('bootstrap_port'),
      room: bootstrap.u64('bootstrap_room'),
      handoffId: bootstrap.optionalUuid('handoff_id'),
    },
  };
}

/** What a frontend asks of a worker. */
export interface GenerateCall {
  model: string;
  tokens: readonly number[] | Uint32Array;
  maxTokens: number | undefined;
  eosTokens: readonly number[];
  rank?: number | undefined;
  prefillWorker?: { id: bigint; rank: number } | undefined;
  bootstrap?: Bootstrap | undefined;
  /** What the prefill worker left for the decode worker, where they do not meet themselves. */
  prefillResult?: WireValue | undefined;
}

/** A decode worker's router is told that the prompt is not its business. */
const DECODE_OVERRIDE = {
  overlap_score_credit: new Float(0),
  assume_kv_reuse: false,
  track_prefill_tokens: false,
};

export function generateRequest(call: GenerateCall, codec: Codec): Writable {
  const { prefillWorker, bootstrap, rank } = call;
  const isDecode = bootstrap !== undefined && prefillWorker === undefined;
  return {
    model: call.model,
    token_ids: [...call.tokens],
    stop_conditions: { max_tokens: call.maxTokens ?? null, stop_token_ids_hidden: call.eosTokens },
    sampling_options: {},
    output_options: {},
    eos_token_ids: call.eosTokens,
    mdc_sum: null,
    annotations: [],
    routing:
      rank === undefined && prefillWorker === undefined
        ? undefined
        : {
            prefill_worker_id: prefillWorker?.id,
            dp_rank: rank,
            prefill_dp_rank: prefillWorker?.rank,
          },
    router_config_override: isDecode ? DECODE_OVERRIDE : null,
    prefill_result: call.prefillResult === undefined ? undefined : writable(call.prefillResult),
    bootstrap_info: bootstrap && {
      bootstrap_host: bootstrap.host,
      bootstrap_port: bootstrap.port,
      bootstrap_room: bootstrap.room,
      handoff_id:
        bootstrap.handoffId === undefined || codec === 'json'
          ? bootstrap.handoffId
          : uuidBytes(bootstrap.handoffId),
    },
  };
}

function writable(value: WireValue): Writable {
  return value;
}

/** Why a stream of tokens ended, as it is written. */
type FinishReason = 'eos' | 'length' | 'stop' | 'cancelled' | 'content_filter' | { error: string };

/** What a worker says of one step of a request. */
export interface WorkerOutput {
  tokens: readonly number[];
  /** Set where the worker decodes tokens itself. */
  text?: string | undefined;
  finish?: FinishReason | undefined;
  disaggregatedParams?: string | undefined;
}

/** The item of a step, with the members in the order of the reference's workers. */
export function outputItem({ tokens, text, finish, disaggregatedParams }: WorkerOutput): Writable {
  return {
    data: {
      token_ids: tokens,
      tokens: text === undefined ? [] : [text],
      text: text ?? null,
      cum_log_probs: null,
      log_probs: null,
      top_logprobs: null,
      finish_reason: finish ?? null,
      index: null,
      disaggregated_params: disaggregatedParams,
    },
  };
}

/** An item that tells of an error, which clients see as one. */
export function errorItem(message: string, type = 'Unknown'): Writable {
  return { event: 'error', error: { error_type: type, message } };
}

/** @returns the step of an item @throws {WireError} also for an item that tells of an error */
export function readOutput(item: WireValue): WorkerOutput {
  const fields = Fields.of(item, 'item');
  const error = fields.optionalFields('error');
  if (error) throw new StreamError(error.optionalText('message') ?? 'the worker failed');
  const data = fields.fields('data');
  const finish = data.get('finish_reason');
  const params = data.get('disaggregated_params');
  return {
    tokens: [...data.u32List('token_ids')],
    text: data.optionalText('text'),
    finish:
      finish instanceof Map
        ? { error: Fields.of(finish, 'finish_reason').text('error') }
        : (finish as Exclude<FinishReason, object> | undefined),
    disaggregatedParams: typeof params === 'string' ? params : undefined,
  };
}

/** A worker told of an error, or its stream ended early. */
class StreamError extends Error {
  override readonly name = 'StreamError';
}
