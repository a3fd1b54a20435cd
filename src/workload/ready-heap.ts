import { Heap } from '../structures/heap.js';

/** Turns that wait for their time, ordered by (ready time, session). */
export class ReadyHeap {
  private readonly turns = new Heap(2, 4);

  get size(): number {
    return this.turns.size;
  }
  get timeMs(): number {
    return this.turns.size > 0 ? this.turns.least(0) : Number.POSITIVE_INFINITY;
  }
  get session(): number {
    return this.turns.least(1);
  }
  get row(): number {
    return this.turns.least(2);
  }
  get turn(): number {
    return this.turns.least(3);
  }

  push(timeMs: number, session: number, row: number, turn: number): void {
    this.turns.push(timeMs, session, row, turn);
  }

  pop(): void {
    this.turns.pop();
  }
}
