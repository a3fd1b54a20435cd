import { Heap } from '../../structures/heap.js';

/** Items by age, smallest first. Ages are distinct, so no order among equals is promised. */
export class AgeHeap<T> {
  /** Age, and place among the items. */
  private readonly entries = new Heap(1, 2);
  private readonly items: (T | undefined)[] = [];
  private readonly free: number[] = [];

  /** The item of the smallest age; undefined when there is none. */
  get first(): T | undefined {
    return this.entries.size > 0 ? this.items[this.entries.least(1)] : undefined;
  }

  /** The smallest age, where there is one. */
  get firstAge(): number {
    return this.entries.least(0);
  }

  push(age: number, item: T): void {
    const place = this.free.pop() ?? this.items.length;
    this.items[place] = item;
    this.entries.push(age, place);
  }

  /** Takes out the item of the smallest age, where there is one. */
  pop(): void {
    const place = this.entries.least(1);
    this.entries.pop();
    this.items[place] = undefined;
    this.free.push(place);
  }
}
