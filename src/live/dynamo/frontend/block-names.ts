/** Gives the identities of blocks small numbers, as routers index them, for as long as something refers to them. */
export class BlockNames {
  private readonly numbers = new Map<bigint, { id: number; references: number }>();
  private readonly free: number[] = [];
  private next = 0;

  /** The number of an identity, which is kept until it is released as often as it was retained. */
  retain(hash: bigint): number {
    let entry = this.numbers.get(hash);
    if (!entry) {
      entry = { id: this.free.pop() ?? this.next++, references: 0 };
      this.numbers.set(hash, entry);
    }
    entry.references++;
    return entry.id;
  }

  release(hash: bigint): void {
    const entry = this.numbers.get(hash);
    if (!entry || --entry.references > 0) return;
    this.numbers.delete(hash);
    this.free.push(entry.id);
  }
}
