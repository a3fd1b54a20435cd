/** A double-ended queue of slot numbers in a ring. */
export class SlotQueue {
  size = 0;
  private ring = new Int32Array(16);
  private head = 0;

  get first(): number {
    return this.ring[this.head];
  }

  at(index: number): number {
    return this.ring[(this.head + index) & (this.ring.length - 1)];
  }

  pushBack(slot: number): void {
    if (this.size === this.ring.length) this.grow();
    this.ring[(this.head + this.size++) & (this.ring.length - 1)] = slot;
  }

  pushFront(slot: number): void {
    if (this.size === this.ring.length) this.grow();
    this.head = (this.head - 1) & (this.ring.length - 1);
    this.ring[this.head] = slot;
    this.size++;
  }

  /** Puts a slot before the one at an index, or at the end. */
  insert(index: number, slot: number): void {
    this.pushBack(slot);
    const mask = this.ring.length - 1;
    for (let at = this.size - 1; at > index; at--) this.ring[(this.head + at) & mask] = this.at(at - 1);
    this.ring[(this.head + index) & mask] = slot;
  }

  popFront(): number {
    const slot = this.ring[this.head];
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.size--;
    return slot;
  }

  has(slot: number): boolean {
    for (let i = 0; i < this.size; i++) if (this.at(i) === slot) return true;
    return false;
  }

  /** Takes out a slot that is in the queue, keeping the order of the others. */
  remove(slot: number): void {
    const mask = this.ring.length - 1;
    let index = 0;
    while (this.at(index) !== slot) index++;
    for (; index > 0; index--) this.ring[(this.head + index) & mask] = this.at(index - 1);
    this.popFront();
  }

  private grow(): void {
    const ring = new Int32Array(this.ring.length * 2);
    for (let i = 0; i < this.size; i++) ring[i] = this.at(i);
    this.ring = ring;
    this.head = 0;
  }
}
