/** Things that are dear to make and are used by many runs, the most recently used of them. */
export class Shelf {
  private readonly things = new Map<string, unknown>();

  /** @param most things that are kept */
  constructor(private readonly most = 64) {}

  /** What is kept under a key; undefined when there is nothing. */
  get<T>(key: string): T | undefined {
    const thing = this.things.get(key) as T | undefined;
    if (thing === undefined) return undefined;
    this.things.delete(key);
    this.things.set(key, thing);
    return thing;
  }

  /** Keeps a thing, in the place of the one that was used longest ago where there is no room. */
  put<T>(key: string, thing: T): T {
    this.things.set(key, thing);
    if (this.things.size > this.most) this.things.delete(this.things.keys().next().value!);
    return thing;
  }
}
