import { grown } from '../structures/column.js';
import type { RequestOutcome } from './outcome.js';

/** Requests kept at most; beyond that every other one is, then every fourth. */
const MOST_REQUESTS = 1 << 16;
const FIELDS = 5;

/** A request on its way through a fleet. Times in milliseconds. */
export interface FlowRequest {
  /** When its frontend was done with it. */
  comingMs: number;
  /** When the prefill stage was done with it; NaN without stages, or before that. */
  handedOverMs: number;
  /** When its last token was there; NaN for one that has not ended. */
  goneMs: number;
  /** Time in queues or out of service; NaN for one that has not ended. */
  waitMs: number;
  /** Whether it begins a session, or belongs to none. */
  isFirstTurn: boolean;
}

/**
 * Keeps the times of requests, of all of them or, in long runs, of a fair part: memory stays the same however long
 * the run is.
 */
export class FlowSamples {
  /** Requests for which each kept one stands. */
  weight = 1;
  private keys = new Uint32Array(256);
  private values = new Float64Array(256 * FIELDS);
  private size = 0;

  /** @param waitMs what it waited; NaN for one that has not ended */
  add(outcome: RequestOutcome, waitMs: number): void {
    const key = spread(outcome.row);
    if (this.size === this.keys.length) this.makeRoom();
    if (key % this.weight !== 0) return;
    const { values } = this;
    this.keys[this.size] = key;
    const at = FIELDS * this.size++;
    values[at] = outcome.readyMs;
    values[at + 1] = outcome.stages?.sourceHeldMs ?? Number.NaN;
    values[at + 2] = outcome.status === 'completed' ? outcome.lastTokenMs : Number.NaN;
    values[at + 3] = waitMs;
    values[at + 4] = outcome.turnOrdinal;
  }

  private makeRoom(): void {
    if (this.size === MOST_REQUESTS) {
      this.weight *= 2;
      this.thin();
      return;
    }
    this.keys = grown(this.keys, 2 * this.size);
    this.values = grown(this.values, 2 * this.values.length);
  }

  private thin(): void {
    const { keys, values } = this;
    let kept = 0;
    for (let i = 0; i < this.size; i++) {
      if (keys[i] % this.weight !== 0) continue;
      keys[kept] = keys[i];
      values.copyWithin(FIELDS * kept, FIELDS * i, FIELDS * (i + 1));
      kept++;
    }
    this.size = kept;
  }

  copy(): FlowSamples {
    return Object.assign(new FlowSamples(), this, { keys: this.keys.slice(), values: this.values.slice() });
  }

  /** The requests in order of arrival. */
  requests(): FlowRequest[] {
    const { values, keys } = this;
    const order = Array.from({ length: this.size }, (_, index) => index);
    order.sort((a, b) => values[FIELDS * a] - values[FIELDS * b] || keys[a] - keys[b]);
    return order.map((index) => {
      const at = FIELDS * index;
      return {
        comingMs: values[at],
        handedOverMs: values[at + 1],
        goneMs: values[at + 2],
        waitMs: values[at + 3],
        isFirstTurn: values[at + 4] === 0,
      };
    });
  }
}

/** A number in which all bits of another count (the finaliser of MurmurHash3), so that any part of it is a fair draw. */
function spread(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
