import type { PieceKind } from './generation.js';

/** The part of an answer that is being told, in interfaces that tell it in parts: reasoning, text, a tool's call. */
export class Blocks {
  /** Place of the current part; -1 before the first. */
  index = -1;
  kind: PieceKind | undefined;
  text = '';
  readonly done: { kind: PieceKind; text: string }[] = [];

  /** @returns whether a piece of this kind begins another part; the one before it is `done` then */
  isNew(kind: PieceKind): boolean {
    return kind !== this.kind;
  }

  begin(kind: PieceKind): void {
    this.index++;
    this.kind = kind;
    this.text = '';
  }

  finish(): void {
    if (this.kind !== undefined) this.done.push({ kind: this.kind, text: this.text });
    this.kind = undefined;
  }
}
