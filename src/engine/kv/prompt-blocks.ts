import { grown } from '../../structures/column.js';
import { PrefixTree } from './prefix-tree.js';

/** The content of a prompt, as the workload describes it. */
export interface PromptContent {
  inputTokens: number;
  hashLow: Uint32Array;
  hashHigh: Uint32Array;
  hashCount: number;
  /** Leading hashes that other prompts may have too. */
  sharedHashes: number;
  tokens: Uint32Array | undefined;
  plannedOutput: Uint32Array | undefined;
}

export interface PromptBlockOptions {
  hashBlockTokens: number;
  blockTokens: number;
  /** Whether prompts come with token content, one tree node a KV block then. */
  hasTokens: boolean;
  /** Whether equal content is equal; otherwise every block is unique. */
  isShared: boolean;
  /** Whether blocks that occur once are named too. */
  namesUnique: boolean;
  /** How many pools hold blocks of these names. */
  pools: number;
}

/** Told of each block that is named after its tokens, in the order of a prompt; the parent of a first block is the root. */
export interface BlockNamer {
  named(node: number, parent: number, tokens: Uint32Array): void;
}

const MAX_ID = 2147483647;
/** Tree nodes that all pools together may keep in arrays, at four bytes each. */
const NEAR_NODES = 1 << 23;

/**
 * Identities of the KV blocks of requests in flight, by request slot. An identity stands for the whole content from
 * the start of the prompt to the end of the block. Hash ids describe `hashBlockTokens` tokens each, KV blocks hold
 * `blockTokens`, and neither needs to divide the other: a KV block belongs to the tree node of the hash block in which
 * it ends, and its identity is that node and its place among the blocks that end there.
 *
 * Blocks of content that occurs once have no identity here unless `namesUnique` asks for one (a negative number).
 */
export class PromptBlocks {
  /** Identities of a slot's blocks; the first `counts[slot]` are valid. */
  readonly ids: Int32Array[] = [];
  counts = new Int32Array(0);
  /** Identities per tree node. */
  readonly stride: number;
  /** Tree nodes that each pool may keep in an array. */
  readonly nearNodes: number;
  /** Whether as many blocks end in every tree node. */
  private readonly isEven: boolean;
  private readonly lastNode: number[] = [];
  private readonly contents: (Uint32Array | undefined)[] = [];

  /** @param tree of other blocks that are named alike @param namer told of blocks that come with tokens */
  constructor(
    private readonly options: PromptBlockOptions,
    readonly tree = new PrefixTree(),
    private readonly namer?: BlockNamer,
  ) {
    const { hashBlockTokens, blockTokens, hasTokens } = options;
    this.stride = hasTokens ? 1 : Math.ceil(hashBlockTokens / blockTokens);
    this.nearNodes = Math.floor(NEAR_NODES / options.pools);
    this.isEven = this.stride * blockTokens === hashBlockTokens;
  }

  growTo(slots: number): void {
    if (slots <= this.counts.length) return;
    this.counts = grown(this.counts, slots);
    while (this.ids.length < slots) {
      this.ids.push(new Int32Array(16));
      this.lastNode.push(this.tree.root);
      this.contents.push(undefined);
    }
  }

  /** Names the full prompt blocks of a request that enters. */
  enter(slot: number, prompt: PromptContent): void {
    const { hasTokens, isShared, namesUnique, blockTokens } = this.options;
    this.counts[slot] = 0;
    if (isShared && hasTokens) this.enterTokens(slot, prompt);
    else if (isShared) this.enterHashes(slot, prompt);
    if (!namesUnique) return;
    const count = Math.floor(prompt.inputTokens / blockTokens);
    while (this.counts[slot] < count) this.append(slot, this.tree.uniqueId());
  }

  /** Whether these options give the same names to prompts. */
  names(options: PromptBlockOptions): boolean {
    const own: PromptBlockOptions = this.options;
    return (
      own.blockTokens === options.blockTokens &&
      own.isShared === options.isShared &&
      own.namesUnique === options.namesUnique
    );
  }

  /** Takes over the names of a request that has entered other blocks, named alike, just now. */
  enterLike(other: PromptBlocks, slot: number): void {
    const count = other.counts[slot];
    this.room(slot, count).set(other.ids[slot].subarray(0, count));
    this.counts[slot] = count;
    this.contents[slot] = other.contents[slot];
    this.lastNode[slot] = other.lastNode[slot];
    this.tree.retain(this.lastNode[slot]);
  }

  /** Forgets a request that has ended. */
  leave(slot: number): void {
    this.tree.release(this.lastNode[slot]);
    this.lastNode[slot] = this.tree.root;
    this.contents[slot] = undefined;
    this.counts[slot] = 0;
  }

  private enterHashes(slot: number, prompt: PromptContent): void {
    const { tree, stride } = this;
    const { blockTokens, hashBlockTokens } = this.options;
    const { hashLow, hashHigh, hashCount, sharedHashes } = prompt;
    // What nobody else has needs no name unless blocks that occur once have one.
    const hashes = this.options.namesUnique ? hashCount : Math.min(hashCount, sharedHashes);
    const known = Math.min(prompt.inputTokens, hashes * hashBlockTokens);
    const count = Math.floor(known / blockTokens);
    const ids = this.room(slot, count);
    let node = tree.root;
    let index = 0;
    for (let hash = 0; index < count; hash++) {
      node = tree.child(node, hashLow[hash], hashHigh[hash]);
      const end = Math.min(count, Math.floor(((hash + 1) * hashBlockTokens) / blockTokens));
      for (let id = node * stride; index < end; index++, id++) ids[index] = id;
    }
    if (node * stride > MAX_ID - stride) throw new Error('too many distinct prompt blocks in flight');
    tree.retain(node);
    this.lastNode[slot] = node;
    this.counts[slot] = count;
  }

  private enterTokens(slot: number, prompt: PromptContent): void {
    const { plannedOutput } = prompt;
    const tokens = prompt.tokens!;
    const content = new Uint32Array(tokens.length + (plannedOutput?.length ?? 0));
    content.set(tokens);
    if (plannedOutput) content.set(plannedOutput, tokens.length);
    this.contents[slot] = content;
    const count = Math.floor(tokens.length / this.options.blockTokens);
    for (let index = 0; index < count; index++) this.nameFromContent(slot);
  }

  /** Names the next block of a slot after its content: generated, or planned, tokens. Returns the identity. */
  private nameFromContent(slot: number): number {
    const { tree } = this;
    const { blockTokens } = this.options;
    const index = this.counts[slot];
    const content = this.contents[slot]!;
    let low = 0x811c9dc5;
    let high = 0x9747b28c;
    for (let p = index * blockTokens; p < (index + 1) * blockTokens; p++) {
      low = Math.imul(low ^ content[p], 0x01000193);
      low ^= low >>> 16;
      high = Math.imul(high + content[p], 0x85ebca6b);
      high ^= high >>> 13;
    }
    const parent = this.lastNode[slot];
    const node = tree.child(parent, low >>> 0, high >>> 0);
    this.namer?.named(node, parent, content.subarray(index * blockTokens, (index + 1) * blockTokens));
    tree.retain(node);
    tree.release(parent);
    this.lastNode[slot] = node;
    this.append(slot, node);
    return node;
  }

  /** Names the next block of a slot, which has been generated. Returns the identity. */
  nameGenerated(slot: number): number {
    if (this.contents[slot]) return this.nameFromContent(slot);
    const id = this.tree.uniqueId();
    this.append(slot, id);
    return id;
  }

  private append(slot: number, id: number): void {
    const index = this.counts[slot]++;
    this.room(slot, index + 1)[index] = id;
  }

  private room(slot: number, count: number): Int32Array {
    let ids = this.ids[slot];
    if (ids.length < count) {
      ids = grown(ids, Math.max(count, ids.length * 2));
      this.ids[slot] = ids;
    }
    return ids;
  }

  /** Something other than a request holds content of this identity. */
  retain(id: number): void {
    if (id >= 0) this.tree.retain(Math.floor(id / this.stride));
  }

  release(id: number): void {
    if (id >= 0) this.tree.release(Math.floor(id / this.stride));
  }

  /**
   * Something that holds every block before these too holds `ids` from a place to another: one reference for all
   * blocks of a tree node.
   */
  retainRun(ids: Int32Array, from: number, to: number): void {
    const { tree, stride } = this;
    for (let i = this.nextFirst(ids, from, to); i < to; i = this.nextFirst(ids, i + 1, to))
      tree.retain(ids[i] / stride);
  }

  releaseRun(ids: Int32Array, from: number, to: number): void {
    const { tree, stride } = this;
    for (let i = this.nextFirst(ids, from, to); i < to; i = this.nextFirst(ids, i + 1, to))
      tree.release(ids[i] / stride);
  }

  /** Place of the next identity that is the first of its tree node, or `to`. */
  private nextFirst(ids: Int32Array, from: number, to: number): number {
    const { stride, isEven } = this;
    let i = from;
    while (i < to) {
      const place = ids[i] < 0 ? -1 : ids[i] % stride;
      if (place === 0) return i;
      i += place > 0 && isEven ? stride - place : 1;
    }
    return to;
  }
}
