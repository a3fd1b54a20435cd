import type { NamedBlock } from '../kv/kvbm-pool.js';
import type { SharedTiers } from './shared.js';
import type { TierStore } from './store.js';

/**
 * Copies blocks that arrived in the host tier of one rank further down, in the background: to G3 one batch after the
 * other, to G4 object by object. A block that leaves G2 before its turn is not copied.
 */
export class Copies {
  private readonly toG3: NamedBlock[] = [];
  private readonly toG4: NamedBlock[] = [];
  private g3IsBusy = false;
  private puts = 0;

  constructor(
    private readonly g2: TierStore,
    private readonly shared: SharedTiers,
    private readonly batchBlocks: number,
    private readonly blockBytes: number,
  ) {}

  add(blocks: readonly NamedBlock[], nowMs: number): void {
    const { g3, g4 } = this.shared;
    if (g3) this.toG3.push(...blocks);
    if (g4) this.toG4.push(...blocks);
    this.copyToG3(nowMs);
    this.copyToG4(nowMs);
  }

  private copyToG3(nowMs: number): void {
    const { toG3, g2, shared, blockBytes } = this;
    const { g3 } = shared;
    while (g3 && !this.g3IsBusy && toG3.length > 0) {
      const wanted = toG3
        .splice(0, this.batchBlocks)
        .filter(({ id }) => g2.has(id) && !g3.store.has(id) && !g3.arriving.has(id));
      const batch = wanted.slice(0, g3.store.available);
      if (batch.length === 0) continue;
      this.g3IsBusy = true;
      g3.store.makeRoom(batch.length);
      for (const { id } of batch) {
        g2.pin(id);
        g3.arriving.add(id);
      }
      g3.write.start(nowMs, batch.length * blockBytes, (doneMs) => {
        for (const block of batch) {
          g2.unpin(block.id);
          g3.arriving.delete(block.id);
          g3.store.arrive(block);
        }
        shared.use.copiedBlocks.g3 += batch.length;
        this.g3IsBusy = false;
        this.copyToG3(doneMs);
      });
    }
  }

  private copyToG4(nowMs: number): void {
    const { toG4, g2, shared } = this;
    const { g4 } = shared;
    while (g4 && this.puts < this.batchBlocks && toG4.length > 0) {
      const { id } = toG4.shift()!;
      if (!g2.has(id) || g4.objects.has(id) || g4.arriving.has(id)) continue;
      this.puts++;
      g2.pin(id);
      g4.arriving.add(id);
      g4.write.start(nowMs, this.blockBytes, (doneMs) => {
        g2.unpin(id);
        g4.arriving.delete(id);
        shared.keepObject(id);
        shared.use.copiedBlocks.g4++;
        this.puts--;
        this.copyToG4(doneMs);
      });
    }
  }
}
