import type { BlockHashes } from '../../block-hashes.js';
import { encodeVllmBatch, type VllmEvent } from './vllm-events.js';

/** Changes are joined up to so many blocks. */
export const MAX_JOINED_BLOCKS = 128;

/** Turns what happens in the cache of a rank into batches in vLLM's layout. */
export class VllmPublisher {
  private pending: VllmEvent[] = [];

  /** @param send takes a batch */
  constructor(
    private readonly rank: number,
    private readonly blockTokens: number,
    private readonly hashes: BlockHashes,
    private readonly send: (batch: Buffer) => void,
    private readonly unixMs: () => number,
  ) {}

  stored(node: number): void {
    const { hashes, pending, blockTokens } = this;
    const blockHash = hashes.blockHash(node);
    const parentHash = hashes.parentHash(node);
    const last = pending.at(-1);
    if (
      last?.kind === 'stored' &&
      last.blockHashes.length < MAX_JOINED_BLOCKS &&
      last.blockHashes.at(-1) === parentHash
    ) {
      last.blockHashes.push(blockHash);
      last.tokens.push(...hashes.tokensOf(node));
      return;
    }
    const tokens = [...hashes.tokensOf(node)];
    pending.push({ kind: 'stored', blockHashes: [blockHash], parentHash, tokens, blockTokens });
  }

  removed(node: number): void {
    const blockHash = this.hashes.blockHash(node);
    const last = this.pending.at(-1);
    if (last?.kind === 'removed' && last.blockHashes.length < MAX_JOINED_BLOCKS)
      last.blockHashes.push(blockHash);
    else this.pending.push({ kind: 'removed', blockHashes: [blockHash] });
  }

  /** All that was cached is gone. */
  cleared(): void {
    this.pending.push({ kind: 'cleared' });
  }

  /** Sends what has happened since the last time. */
  publish(): void {
    if (this.pending.length === 0) return;
    const events = this.pending;
    this.pending = [];
    this.send(encodeVllmBatch({ timeSeconds: this.unixMs() / 1000, events, rank: this.rank }));
  }
}
