const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COLON = 0x3a;

/**
 * Cuts the texts of objects out of JSON that may be larger than memory: objects one after the other or elements of a
 * list, or, with a field, elements of the list that the outermost object has under that name.
 */
export function* objectTexts(chunks: Iterable<Uint8Array>, field?: string): Generator<string> {
  const cutter = new Cutter(field);
  for (const chunk of chunks) yield* cutter.take(chunk);
  // What is cut off is handed on, so that reading it fails where it ends.
  const rest = cutter.rest;
  if (rest !== '') yield rest;
}

/** A scanner that knows strings and nesting and nothing else of JSON. */
class Cutter {
  private depth = 0;
  private inString = false;
  private isEscaped = false;
  /** Depth at which objects that are wanted begin; unknown until the list under the field has begun. */
  private wanted: number;
  private kept: Uint8Array[] = [];
  private isInside = false;
  private name = '';
  private nameIsField = false;

  constructor(private readonly field: string | undefined) {
    this.wanted = field === undefined ? 0 : -1;
  }

  *take(chunk: Uint8Array): Generator<string> {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.inString) {
        this.readString(byte);
        continue;
      }
      if (byte === QUOTE) {
        this.inString = true;
        this.name = '';
      } else if (byte === COLON) this.nameIsField = this.depth === 1 && this.name === this.field;
      else if (byte === OPEN_LIST) this.openList();
      else if (byte === OPEN_OBJECT) {
        if (this.depth === this.wanted && !this.isInside) {
          this.isInside = true;
          from = at;
        }
        this.depth++;
      } else if (byte === CLOSE_LIST) this.depth--;
      else if (byte === CLOSE_OBJECT) {
        this.depth--;
        if (!this.isInside || this.depth !== this.wanted) continue;
        this.kept.push(chunk.subarray(from, at + 1));
        this.isInside = false;
        yield textOf(this.kept);
        this.kept = [];
      }
    }
    if (this.isInside) this.kept.push(Uint8Array.from(chunk.subarray(from)));
  }

  get rest(): string {
    return this.isInside ? textOf(this.kept) : '';
  }

  private readString(byte: number): void {
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === BACKSLASH) this.isEscaped = true;
    else if (byte === QUOTE) this.inString = false;
    else if (this.depth === 1 && this.field !== undefined && this.wanted < 0)
      this.name += String.fromCharCode(byte);
  }

  private openList(): void {
    // A list around everything, or the one under the field, holds the objects.
    if (this.depth === 0 || (this.nameIsField && this.depth === 1 && this.wanted < 0))
      this.wanted = this.depth + 1;
    this.nameIsField = false;
    this.depth++;
  }
}

function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return `${pieces.map((piece) => decoder.decode(piece, { stream: true })).join('')}${decoder.decode()}`;
}
