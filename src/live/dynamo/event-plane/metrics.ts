import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import { Fields, Float } from '../codec/value.js';

/** What a rank has in use; routers count the first two themselves. */
export interface ActiveLoad {
  workerId: bigint;
  rank: number;
  activeDecodeBlocks?: number | undefined;
  activePrefillTokens?: number | undefined;
  usedBlocks?: number | undefined;
}

export function encodeActiveLoad(load: ActiveLoad): Buffer {
  return encodeMsgpack({
    worker_id: load.workerId,
    dp_rank: load.rank,
    active_decode_blocks: load.activeDecodeBlocks ?? null,
    active_prefill_tokens: load.activePrefillTokens ?? null,
    kv_used_blocks: load.usedBlocks ?? null,
  });
}

/** @throws {WireError} */
export function decodeActiveLoad(payload: Uint8Array): ActiveLoad {
  const fields = Fields.of(decodeMsgpack(payload), 'load');
  return {
    workerId: fields.u64('worker_id'),
    rank: fields.count('dp_rank'),
    activeDecodeBlocks: fields.optionalCount('active_decode_blocks'),
    activePrefillTokens: fields.optionalCount('active_prefill_tokens'),
    usedBlocks: fields.optionalCount('kv_used_blocks'),
  };
}

/** One forward pass of a rank, or a heartbeat of an idle one. Lengths and sums in tokens, variances their squares. */
export interface PassReport {
  workerId: bigint;
  rank: number;
  /** From 1 for each rank, heartbeats too. */
  counter: number;
  /** Duration of the pass; 0 in heartbeats. */
  wallSeconds: number;
  scheduled: PrefillLoad & DecodeLoad & { prefillKvTokens: number };
  queued: PrefillLoad & DecodeLoad;
}

interface PrefillLoad {
  prefillRequests: number;
  prefillTokens: number;
  prefillVariance: number;
}

interface DecodeLoad {
  decodeRequests: number;
  decodeKvTokens: number;
  decodeVariance: number;
}

export function encodePassReport({ scheduled, queued, ...pass }: PassReport): Buffer {
  return encodeMsgpack({
    version: 1,
    worker_id: String(pass.workerId),
    dp_rank: pass.rank,
    counter_id: pass.counter,
    wall_time: new Float(pass.wallSeconds),
    scheduled_requests: {
      num_prefill_requests: scheduled.prefillRequests,
      sum_prefill_tokens: scheduled.prefillTokens,
      var_prefill_length: new Float(scheduled.prefillVariance),
      sum_prefill_kv_tokens: scheduled.prefillKvTokens,
      num_decode_requests: scheduled.decodeRequests,
      sum_decode_kv_tokens: scheduled.decodeKvTokens,
      var_decode_kv_tokens: new Float(scheduled.decodeVariance),
    },
    queued_requests: {
      num_prefill_requests: queued.prefillRequests,
      sum_prefill_tokens: queued.prefillTokens,
      var_prefill_length: new Float(queued.prefillVariance),
      num_decode_requests: queued.decodeRequests,
      sum_decode_kv_tokens: queued.decodeKvTokens,
      var_decode_kv_tokens: new Float(queued.decodeVariance),
    },
  });
}

/** @throws {WireError} */
export function decodePassReport(payload: Uint8Array): PassReport {
  const fields = Fields.of(decodeMsgpack(payload), 'pass');
  const scheduled = fields.fields('scheduled_requests');
  const queued = fields.fields('queued_requests');
  return {
    workerId: BigInt(fields.text('worker_id')),
    rank: fields.count('dp_rank'),
    counter: fields.count('counter_id'),
    wallSeconds: fields.float('wall_time'),
    scheduled: { ...loadOf(scheduled), prefillKvTokens: scheduled.count('sum_prefill_kv_tokens') },
    queued: loadOf(queued),
  };
}

function loadOf(fields: Fields): PrefillLoad & DecodeLoad {
  return {
    prefillRequests: fields.count('num_prefill_requests'),
    prefillTokens: fields.count('sum_prefill_tokens'),
    prefillVariance: fields.float('var_prefill_length'),
    decodeRequests: fields.count('num_decode_requests'),
    decodeKvTokens: fields.count('sum_decode_kv_tokens'),
    decodeVariance: fields.float('var_decode_kv_tokens'),
  };
}
