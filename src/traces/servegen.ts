import { InputError } from '../config/input-error.js';
import { JsonSyntaxError, type JsonValue, parseJson } from '../config/json.js';
import { SeededRandom } from '../random/std-rng.js';
import { Fields } from './fields.js';
import type { Importer, ImportOptions, TraceRequest, TraceSource } from './form.js';

const DEFAULT_SEED = 42n;
/** Where no span is asked for, requests are made for the beginning only, since the data goes on for weeks. */
const DEFAULT_SPAN_S = 3600;

/** How the requests of a client come in a stretch of time. Rates per second, scale in seconds. */
interface Window {
  startS: number;
  rate: number;
  pattern: 'Gamma' | 'Weibull';
  shape: number;
  scale: number;
}

/** Lengths, and the part of the requests that have at most these. */
interface Distribution {
  tokens: number[];
  upTo: number[];
}

interface Lengths {
  fromS: number;
  input: Distribution;
  output: Distribution;
}

/** What is known of a client: its windows, and from when on which lengths hold. */
interface Client {
  windows: Window[];
  lengths: Lengths[];
  random: SeededRandom;
}

/**
 * Clients of ServeGen (a folder of `chunk-*-trace.csv` and `chunk-*-dataset.json`): in each window every client sends as
 * many requests as its rate says, with gaps by its pattern that fill the window, as ServeGen does. One draw gives both
 * lengths of a request.
 */
export const servegenChunks: Importer = {
  *read(source, options) {
    const { fromS, toS } = options.span ?? { fromS: 0, toS: DEFAULT_SPAN_S };
    const clients = readClients(source, options, fromS, toS);
    const starts = [...new Set(clients.flatMap(({ windows }) => windows.map(({ startS }) => startS)))];
    starts.sort((a, b) => a - b);
    for (const [index, startS] of starts.entries()) {
      const widthS = (starts[index + 1] ?? startS + (startS - (starts[index - 1] ?? startS - 600))) - startS;
      const made = clients.flatMap((client) => requestsOf(client, startS, widthS));
      yield* made.sort((a, b) => a.startMs! - b.startMs!);
    }
  },
};

function requestsOf({ windows, lengths, random }: Client, startS: number, widthS: number): TraceRequest[] {
  const window = windows.find((one) => one.startS === startS);
  const held = lengths.findLast(({ fromS }) => fromS <= startS);
  if (!window || !held) return [];
  const gaps = Array.from({ length: Math.ceil(window.rate * widthS) }, () => gapOf(window, random));
  const sum = gaps.reduce((total, gap) => total + gap, 0);
  let atS = 0;
  return gaps.map((gap) => {
    atS += sum > 0 ? (gap * widthS) / sum : 0;
    const part = random.nextFloat();
    return {
      line: 1,
      startMs: (startS + atS) * 1000,
      inputTokens: lengthAt(held.input, part),
      outputTokens: lengthAt(held.output, part),
      blocks: undefined,
      session: undefined,
    };
  });
}

function gapOf({ pattern, shape, scale }: Window, random: SeededRandom): number {
  if (pattern === 'Weibull') return scale * random.nextExponential(1) ** (1 / shape);
  return scale * gamma(shape, random);
}

/** A Gamma variate of scale 1 (Marsaglia and Tsang, 2000); shapes below 1 by the one above and a power. */
function gamma(shape: number, random: SeededRandom): number {
  if (shape < 1) return gamma(shape + 1, random) * random.nextFloat() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(2 * random.nextExponential(1)) * Math.cos(2 * Math.PI * random.nextFloat());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(random.nextFloat()) < (normal * normal) / 2 + d - d * v + d * Math.log(v))
      return d * v;
  }
}

function lengthAt({ tokens, upTo }: Distribution, part: number): number {
  const index = upTo.findIndex((sum) => sum >= part * upTo[upTo.length - 1]);
  return tokens[index < 0 ? tokens.length - 1 : index];
}

// ---- Reading ---------------------------------------------------------------------------------------------------

function readClients(source: TraceSource, { seed }: ImportOptions, fromS: number, toS: number): Client[] {
  const clients = new Map<string, Client>();
  for (const { path, lines } of filesOf(source)) {
    const [, name, kind] = /([^/\\]*)-(trace|dataset)\.(?:csv|json)/.exec(path) ?? [];
    if (name === undefined)
      throw new InputError(`${path}: expected chunk-*-trace.csv and chunk-*-dataset.json`);
    const client = clients.get(name) ?? {
      windows: [],
      lengths: [],
      random: new SeededRandom((seed ?? DEFAULT_SEED) + BigInt(clients.size)),
    };
    clients.set(name, client);
    if (kind === 'trace') client.windows = readWindows(path, lines, fromS, toS);
    else client.lengths = readLengths(path, lines, toS);
  }
  return [...clients.values()];
}

/** The files of the folder, each with its lines. */
function* filesOf(source: TraceSource): Generator<{ path: string; lines: string[] }> {
  let lines: string[] = [];
  let path: string | undefined;
  for (const { text } of source.lines()) {
    if (path !== undefined && path !== source.path) {
      yield { path, lines };
      lines = [];
    }
    path = source.path;
    lines.push(text);
  }
  if (path !== undefined) yield { path, lines };
}

const COLUMNS = ['timestamp', 'rate', 'cv', 'pattern', 'shape', 'scale'];

/** Rows without a header; those without a pattern are windows in which nothing comes. */
function readWindows(path: string, lines: readonly string[], fromS: number, toS: number): Window[] {
  return lines.flatMap((text, index) => {
    const cells = text.split(',');
    const row = new Fields(path, index + 1, new Map(COLUMNS.map((name, at) => [name, cells[at]])));
    const startS = row.number('timestamp');
    const pattern = row.text('pattern');
    if (pattern === '' || startS < fromS || startS >= toS) return [];
    if (pattern !== 'Gamma' && pattern !== 'Weibull')
      row.fail('pattern', `expected Gamma or Weibull, found ${pattern}`);
    const positive = (name: string) =>
      row.number(name) > 0
        ? row.number(name)
        : row.fail(name, `expected a number above 0, found ${row.text(name)}`);
    return [
      {
        startS,
        rate: positive('rate'),
        pattern,
        shape: positive('shape'),
        scale: positive('scale'),
      } as Window,
    ];
  });
}

/** Lengths by the time from which on they hold; texts such as `{12: 0.5, 40: 0.5}`, empty where nothing came. */
function readLengths(path: string, lines: readonly string[], toS: number): Lengths[] {
  const whole = objectOf(path, lines.join('\n'));
  return [...whole.keys()]
    .filter((key) => Number(key) < toS)
    .flatMap((key) => {
      const at = new Fields(path, 1, whole).object(key);
      const [input, output] = ['input_tokens', 'output_tokens'].map((field) => distributionOf(at, field));
      return input && output ? [{ fromS: Number(key), input, output }] : [];
    });
}

function objectOf(path: string, text: string): ReadonlyMap<string, JsonValue> {
  try {
    const value = parseJson(text);
    if (value instanceof Map) return value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new InputError(`${path}: ${error.message}`);
  }
  throw new InputError(`${path}: expected a JSON object`);
}

function distributionOf(row: Fields, field: string): Distribution | undefined {
  const tokens: number[] = [];
  const upTo: number[] = [];
  let sum = 0;
  for (const [, length, part] of row.text(field).matchAll(/(\d+)\s*:\s*([-+.\deE]+)/g)) {
    sum += Number(part);
    tokens.push(Number(length));
    upTo.push(sum);
  }
  if (tokens.length === 0) return undefined;
  if (!(sum > 0)) row.fail(field, 'expected parts that add up to more than 0');
  return { tokens, upTo };
}
