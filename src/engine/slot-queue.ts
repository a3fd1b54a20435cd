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

  popFront(): number {
    const slot = this.ring[this.head];
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.size--;
    return slot;
  }

  private grow(): void {
    const ring = new Int32Array(this.ring.length * 2);
    for (let i = 0; i < this.size; i++) ring[i] = this.at(i);
    this.ring = ring;
    this.head = 0;
  }
}
