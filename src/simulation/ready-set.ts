/** A set of small numbers whose least member is found at once: bits in words. */
export class ReadySet {
  private words = new Int32Array(1);

  add(member: number): void {
    const word = member >> 5;
    if (word >= this.words.length) {
      const words = new Int32Array(Math.max(word + 1, this.words.length * 2));
      words.set(this.words);
      this.words = words;
    }
    this.words[word] |= 1 << (member & 31);
  }

  /** Takes the least member out; -1 when there is none. */
  takeLeast(): number {
    const { words } = this;
    for (let word = 0; word < words.length; word++) {
      const bits = words[word];
      if (bits === 0) continue;
      words[word] = bits & (bits - 1);
      return word * 32 + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }
}
