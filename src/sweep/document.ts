import { readFileSync } from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../config/json.js';

/** Names of keys and positions in lists, from the root of a document inwards. */
export type Path = readonly (string | number)[];

/** A YAML or JSON file: its value with exact numbers, and where in the file things stand. */
export class SpecDocument {
  private constructor(
    readonly path: string,
    readonly root: JsonValue,
    private readonly lineOf: (path: Path) => number,
  ) {}

  /** @throws {InputError} when the file cannot be read, or is no YAML */
  static read(path: string): SpecDocument {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new InputError(`cannot read ${path} (${(error as Error).message})`);
    }
    return SpecDocument.parse(text, path);
  }

  /** A document that was made of another one. @param path of that */
  static made(path: string, root: JsonValue): SpecDocument {
    return new SpecDocument(path, root, () => 1);
  }

  static parse(text: string, path: string): SpecDocument {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, merge: true });
    const [problem] = document.errors;
    if (problem)
      throw new InputError(
        `${path}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split('\n')[0].replace(/:$/, '')}`,
      );
    const toJson = (node: unknown): JsonValue => {
      if (isAlias(node)) return toJson(node.resolve(document));
      if (isMap(node)) {
        const object: JsonObject = new Map();
        for (const { key, value } of node.items)
          object.set(isScalar(key) ? String(key.value) : String(key), toJson(value));
        return object;
      }
      if (isSeq(node)) return node.items.map(toJson);
      return isScalar(node) ? scalarJson(node.value, node.source) : null;
    };
    const lineOf = (inner: Path): number => {
      for (let depth = inner.length; depth > 0; depth--) {
        const node = document.getIn(inner.slice(0, depth), true);
        const range = (node as { range?: readonly number[] } | undefined)?.range;
        if (range) return lines.linePos(range[0]).line;
      }
      return 1;
    };
    return new SpecDocument(path, toJson(document.contents), lineOf);
  }

  /** Refuses what stands at a place, in one line. */
  fail(path: Path, problem: string): never {
    const name = path.length === 0 ? '' : `${path.join('.')}: `;
    throw new InputError(`${this.path}:${this.lineOf(path)}: ${name}${problem}`);
  }
}

/** A YAML scalar as JSON; numbers that JSON has no form for, infinities among them, become text. */
function scalarJson(value: unknown, source: string | undefined): JsonValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (source !== undefined && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(source))
      return new JsonNumber(source);
    return Number.isFinite(value) ? new JsonNumber(String(value)) : String(value).replace('Infinity', 'inf');
  }
  return String(value);
}
