/** Hands requests to workers in turn, and within a worker to its ranks in turn. Positions survive scaling. */
export class RoundRobin {
  private next = 0;
  private readonly nextRank = new Map<number, number>();

  constructor(private readonly ranksPerWorker: number) {}

  /** @param workers active worker ids, ascending @returns the rank index worker * ranks + rank */
  place(workers: readonly number[]): number {
    const position = this.next % workers.length;
    this.next = position + 1;
    const worker = workers[position];
    const rank = (this.nextRank.get(worker) ?? 0) % this.ranksPerWorker;
    this.nextRank.set(worker, rank + 1);
    return worker * this.ranksPerWorker + rank;
  }
}
