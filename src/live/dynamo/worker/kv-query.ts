import { Fields, type Writable } from '../codec/value.js';
import { kvEventValue } from '../event-plane/kv-events.js';
import type { KvAnswer, KvIndex } from '../event-plane/kv-index.js';
import type { Call, Handler } from '../request-plane/call-home.js';

/** The endpoint at which routers ask what a rank has cached. */
export function kvQueryEndpoint(publisherId: bigint): string {
  return `worker_kv_query_source_${publisherId.toString(16)}`;
}

/** Answers routers that come late, or have missed events. */
export function kvQueryHandler(workerId: bigint, rank: number, index: KvIndex): Handler {
  return (call: Call) => {
    call.accept();
    call.send(answer(call, workerId, rank, index));
    call.end();
  };
}

function answer({ value }: Call, workerId: bigint, rank: number, index: KvIndex): Writable {
  try {
    const query = Fields.of(value, 'query');
    const asked = query.u64('worker_id');
    if (asked !== workerId) return mismatch('worker_id', asked, workerId);
    const askedRank = query.count('dp_rank');
    if (askedRank !== rank) return mismatch('dp_rank', askedRank, rank);
    const start = query.optionalU64('start_event_id');
    return answerValue(index.answer({ start, end: query.optionalU64('end_event_id') }));
  } catch (error) {
    return { Error: (error as Error).message };
  }
}

function mismatch(field: string, asked: bigint | number, own: bigint | number): Writable {
  return {
    Error: `WorkerKvQueryEngine::generate ${field} mismatch: request.${field}=${asked} this.${field}=${own}`,
  };
}

function answerValue(found: KvAnswer): Writable {
  switch (found.kind) {
    case 'dump':
      return { TreeDump: { events: found.events.map(kvEventValue), last_event_id: found.lastEventId } };
    case 'events':
      return { Events: { events: found.events.map(kvEventValue), last_event_id: found.lastEventId } };
    case 'tooNew':
      return {
        TooNew: {
          requested_start: found.start,
          requested_end: found.end ?? null,
          newest_available: found.newest,
        },
      };
    case 'invalid':
      return { InvalidRange: { start_id: found.start, end_id: found.end } };
  }
}
