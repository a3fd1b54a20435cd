/**
 * Makes up block identities for traces that have none. Blocks are numbered in the order in which they appear; a block
 * that is full is the same for every later turn of its session, one that is not is new each time, since the next turn
 * goes on behind it.
 */
export class BlockMint {
  private next = 0;
  private readonly full = new Map<string, number[]>();
  /** By the block before and the tokens. */
  private readonly byContent = new Map<string, string>();

  constructor(private readonly blockTokens: number) {}

  /** Blocks of a prompt that nothing else shares. */
  fresh(tokens: number): string[] {
    return Array.from({ length: Math.ceil(tokens / this.blockTokens) }, () => String(this.next++));
  }

  /** Blocks of a prompt whose tokens are known: equal beginnings have equal blocks. */
  ofTokens(tokens: readonly string[]): string[] {
    const blocks: string[] = [];
    let before = '';
    for (let at = 0; at < tokens.length; at += this.blockTokens) {
      const content = `${before}:${tokens.slice(at, at + this.blockTokens).join(',')}`;
      let block = this.byContent.get(content);
      if (block === undefined) {
        block = String(this.next++);
        this.byContent.set(content, block);
      }
      blocks.push(block);
      before = block;
    }
    return blocks;
  }

  /** Blocks of a prompt whose first `keptTokens` are those of an earlier prompt of its session. */
  grown(session: string, tokens: number, keptTokens: number): string[] {
    const known = (this.full.get(session) ?? []).slice(0, Math.floor(keptTokens / this.blockTokens));
    const count = Math.floor(tokens / this.blockTokens);
    while (known.length < count) known.push(this.next++);
    known.length = count;
    this.full.set(session, known);
    const blocks = known.map(String);
    if (tokens % this.blockTokens > 0) blocks.push(String(this.next++));
    return blocks;
  }
}

/** Numbers for blocks whose identities hold within one trace only. */
export class BlockScope {
  private readonly numbers = new Map<string, string>();

  constructor(
    private readonly isLocal: boolean,
    private readonly counter: { next: number },
  ) {}

  nameOf(block: string): string {
    if (!this.isLocal) return block;
    let number = this.numbers.get(block);
    if (number === undefined) {
      number = String(this.counter.next++);
      this.numbers.set(block, number);
    }
    return number;
  }
}
