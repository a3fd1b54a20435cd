const ROOT = 0;
const NONE = -1;

/**
 * Gives every distinct (parent, content) a small integer, so that equal prefixes have equal nodes. A node lives while
 * something refers to it (a request, a cached block, a child); its number is then used again, which keeps the tree as
 * large as what is in flight or cached. Content is a 64-bit key: a trace's hash id, or a hash of tokens.
 */
export class PrefixTree {
  private parents = new Int32Array(1024);
  private lows = new Uint32Array(1024);
  private highs = new Uint32Array(1024);
  private refs = new Int32Array(1024);
  /** Next node in the same bucket, or next free node. */
  private links = new Int32Array(1024);
  private buckets = new Int32Array(1024).fill(NONE);
  private used = 1;
  private live = 0;
  private firstFree = NONE;

  get root(): number {
    return ROOT;
  }

  /** Nodes alive, for conservation checks. */
  get size(): number {
    return this.live;
  }

  /** The child of `parent` with this content; made with no reference when new. */
  child(parent: number, low: number, high: number): number {
    const bucket = this.bucketOf(parent, low, high);
    for (let node = this.buckets[bucket]; node !== NONE; node = this.links[node])
      if (this.parents[node] === parent && this.lows[node] === low && this.highs[node] === high) return node;
    return this.create(parent, low, high);
  }

  retain(node: number): void {
    this.refs[node]++;
  }

  /** Drops a reference; a node that nothing refers to any more goes, and so may its ancestors. */
  release(node: number): void {
    let at = node;
    while (at !== ROOT && --this.refs[at] === 0) {
      const parent = this.parents[at];
      this.unlink(at);
      this.links[at] = this.firstFree;
      this.firstFree = at;
      this.live--;
      at = parent;
    }
  }

  private create(parent: number, low: number, high: number): number {
    let node = this.firstFree;
    if (node !== NONE) this.firstFree = this.links[node];
    else {
      if (this.used === this.parents.length) this.grow();
      node = this.used++;
    }
    this.parents[node] = parent;
    this.lows[node] = low;
    this.highs[node] = high;
    this.refs[node] = 0;
    if (parent !== ROOT) this.refs[parent]++;
    const bucket = this.bucketOf(parent, low, high);
    this.links[node] = this.buckets[bucket];
    this.buckets[bucket] = node;
    this.live++;
    return node;
  }

  private unlink(node: number): void {
    const bucket = this.bucketOf(this.parents[node], this.lows[node], this.highs[node]);
    if (this.buckets[bucket] === node) {
      this.buckets[bucket] = this.links[node];
      return;
    }
    let before = this.buckets[bucket];
    while (this.links[before] !== node) before = this.links[before];
    this.links[before] = this.links[node];
  }

  private bucketOf(parent: number, low: number, high: number): number {
    let mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x27d4eb2f);
    return (mixed ^ (mixed >>> 13)) & (this.buckets.length - 1);
  }

  private grow(): void {
    const length = this.parents.length * 2;
    const grown = <T extends Int32Array | Uint32Array>(old: T, array: T): T => {
      array.set(old);
      return array;
    };
    this.parents = grown(this.parents, new Int32Array(length));
    this.lows = grown(this.lows, new Uint32Array(length));
    this.highs = grown(this.highs, new Uint32Array(length));
    this.refs = grown(this.refs, new Int32Array(length));
    const links = new Int32Array(length);
    this.buckets = new Int32Array(length).fill(NONE);
    this.links = links;
    for (let node = 1; node < this.used; node++) {
      const bucket = this.bucketOf(this.parents[node], this.lows[node], this.highs[node]);
      links[node] = this.buckets[bucket];
      this.buckets[bucket] = node;
    }
  }
}
