/** KV pages of one rank by number; only their identity matters. */
export class PagePool {
  private readonly free: number[] = [];
  private fresh = 0;

  constructor(readonly capacity: number) {}

  get available(): number {
    return this.free.length + this.capacity - this.fresh;
  }

  /** Takes pages, those freed last first; undefined, and nothing taken, when there are not so many. */
  take(count: number): number[] | undefined {
    if (count > this.available) return undefined;
    const reused = Math.min(count, this.free.length);
    const pages = this.free.splice(this.free.length - reused);
    while (pages.length < count) pages.push(this.fresh++);
    return pages;
  }

  give(pages: readonly number[]): void {
    for (const page of pages) this.free.push(page);
  }
}
