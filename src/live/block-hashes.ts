import { createXXHash3, type IHasher } from 'hash-wasm';
import type { BlockNamer } from '../engine/kv/prompt-blocks.js';

/** Dynamo's seed of the hashes of blocks. */
const SEED = 1337;
/** The root of the prefix tree, which has no hash. */
const ROOT = 0;

/**
 * The names that Dynamo's routers know blocks by (`dynamo-kv-router` of the reference): a hash of a block's tokens, and
 * one of everything up to its end, by nodes of the prefix tree.
 */
export class BlockHashes implements BlockNamer {
  private tokensHashes = new BigUint64Array(1024);
  private sequenceHashes = new BigUint64Array(1024);
  private parents = new Int32Array(1024);
  private readonly tokens: Uint32Array[] = [];
  private readonly pair = new BigUint64Array(2);

  private constructor(
    private readonly hasher: IHasher,
    private readonly keepsTokens: boolean,
  ) {}

  /** @param keepsTokens whether the tokens of blocks are wanted too */
  static async create(keepsTokens = false): Promise<BlockHashes> {
    return new BlockHashes(await createXXHash3(SEED, 0), keepsTokens);
  }

  named(node: number, parent: number, tokens: Uint32Array): void {
    if (node >= this.parents.length) this.grow(node + 1);
    const tokensHash = this.hash(tokens);
    this.tokensHashes[node] = tokensHash;
    this.parents[node] = parent;
    this.sequenceHashes[node] = this.child(this.parentHash(node), tokensHash);
    if (this.keepsTokens) this.tokens[node] = tokens.slice();
  }

  /** Hash of the bytes of numbers, which are little-endian wherever Node runs. */
  private hash(numbers: Uint32Array | BigUint64Array): bigint {
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const digest = this.hasher.init().update(bytes).digest('binary');
    return new DataView(digest.buffer, digest.byteOffset, 8).getBigUint64(0);
  }

  /** Hash of a block's own tokens. */
  tokensHash(node: number): bigint {
    return this.tokensHashes[node];
  }

  /** Identity of a block: a hash of all tokens up to its end. */
  blockHash(node: number): bigint {
    return this.sequenceHashes[node];
  }

  /** Identity of the block before; undefined at the beginning of a prompt. */
  parentHash(node: number): bigint | undefined {
    const parent = this.parents[node];
    return parent === ROOT ? undefined : this.sequenceHashes[parent];
  }

  tokensOf(node: number): Uint32Array {
    return this.tokens[node];
  }

  /** Identities of the whole blocks of a prompt. */
  ofPrompt(tokens: Uint32Array, blockTokens: number): bigint[] {
    const hashes: bigint[] = [];
    for (let end = blockTokens; end <= tokens.length; end += blockTokens)
      hashes.push(this.child(hashes.at(-1), this.hash(tokens.subarray(end - blockTokens, end))));
    return hashes;
  }

  /** Identity of a block, by that of the one before it and the hash of its own tokens. */
  child(parentHash: bigint | undefined, tokensHash: bigint): bigint {
    if (parentHash === undefined) return tokensHash;
    this.pair[0] = parentHash;
    this.pair[1] = tokensHash;
    return this.hash(this.pair);
  }

  private grow(length: number): void {
    const size = Math.max(length, this.parents.length * 2);
    const tokensHashes = new BigUint64Array(size);
    tokensHashes.set(this.tokensHashes);
    this.tokensHashes = tokensHashes;
    const sequenceHashes = new BigUint64Array(size);
    sequenceHashes.set(this.sequenceHashes);
    this.sequenceHashes = sequenceHashes;
    const parents = new Int32Array(size);
    parents.set(this.parents);
    this.parents = parents;
  }
}
