import { growColumns } from '../structures/column.js';

/** Row of a slot that nobody uses. */
const NOBODY = -1;

/** The requests in flight, by slot; slots are used again, so tables grow with what is in flight. */
export class RequestSlots {
  capacity = 0;
  inFlight = 0;
  row = new Float64Array(0);
  session = new Float64Array(0);
  turn = new Int32Array(0);
  arrivalMs = new Float64Array(0);
  inputTokens = new Int32Array(0);
  requestedTokens = new Int32Array(0);
  rank = new Int32Array(0);
  private readonly free: number[] = [];

  /** @param onGrow grows the tables that are kept by slot elsewhere */
  constructor(private readonly onGrow: (slots: number) => void) {}

  claim(): number {
    if (this.free.length === 0) this.grow();
    this.inFlight++;
    return this.free.pop()!;
  }

  release(slot: number): void {
    this.inFlight--;
    this.row[slot] = NOBODY;
    this.free.push(slot);
  }

  /** The slot of a request by its row, or -1 when it is not in flight. */
  find(row: number): number {
    return this.row.indexOf(row);
  }

  isFree(slot: number): boolean {
    return this.row[slot] === NOBODY;
  }

  private grow(): void {
    const before = this.capacity;
    const slots = Math.max(64, before * 2);
    growColumns(this, slots);
    this.row.fill(NOBODY, before);
    for (let slot = slots - 1; slot >= before; slot--) this.free.push(slot);
    this.capacity = slots;
    this.onGrow(slots);
  }

  /** Slots in use. */
  inUse(): number[] {
    const free = new Set(this.free);
    return Array.from({ length: this.capacity }, (_, slot) => slot).filter((slot) => !free.has(slot));
  }
}
