import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { TimingModel } from './timing-model.js';

interface NumberArray {
  shape: number[];
  values: Float64Array;
}

const MEMBERS = [
  'prefill_isl',
  'prefill_ttft_ms',
  'decode_active_kv_tokens',
  'decode_context_length',
  'decode_itl',
];

/**
 * A measured grid: prefill time by new tokens, decode time by active KV tokens and context length; linear between
 * points, extrapolated beyond them (`common/perf_model.rs` of the reference).
 */
export class GridTiming implements TimingModel {
  readonly readsContext = true;

  private constructor(
    private readonly prefillTokens: Float64Array,
    private readonly prefillTimesMs: Float64Array,
    private readonly kvTokens: Float64Array,
    private readonly contextTokens: Float64Array,
    private readonly decodeTimesMs: Float64Array,
  ) {}

  /** Reads an `.npz` file. @throws {Error} saying why the file cannot be used */
  static load(path: string): GridTiming {
    const members = unzipSync(readFileSync(path));
    const [x, y, kv, context, itl] = MEMBERS.map((name) => {
      const bytes = members[`${name}.npy`];
      if (!bytes) throw new Error(`member ${name} is missing`);
      return readNpy(bytes, name);
    });
    if (x.values.length !== y.values.length)
      throw new Error('prefill_isl and prefill_ttft_ms differ in length');
    if (itl.shape.length !== 2 || itl.shape[0] !== kv.values.length || itl.shape[1] !== context.values.length)
      throw new Error(
        `decode_itl must be ${kv.values.length} x ${context.values.length}, found ${itl.shape.join(' x ')}`,
      );
    checkAxis(x.values, 'prefill_isl');
    checkAxis(kv.values, 'decode_active_kv_tokens');
    checkAxis(context.values, 'decode_context_length');
    return new GridTiming(x.values, y.values, kv.values, context.values, itl.values);
  }

  prefillMs(batch: number, newTokens: number): number {
    const { prefillTokens: x, prefillTimesMs: y } = this;
    const q = batch * newTokens;
    const i = segment(x, q);
    return line(x[i], y[i], x[i + 1], y[i + 1], q);
  }

  decodeMs(_batch: number, activeTokens: number, contextTokens: number): number {
    const { kvTokens: X, contextTokens: Y, decodeTimesMs: Z } = this;
    const columns = Y.length;
    const i = segment(X, activeTokens);
    const j = segment(Y, contextTokens);
    const low = i * columns + j;
    const high = low + columns;
    const z1 = line(X[i], Z[low], X[i + 1], Z[high], activeTokens);
    const z2 = line(X[i], Z[low + 1], X[i + 1], Z[high + 1], activeTokens);
    return line(Y[j], z1, Y[j + 1], z2, contextTokens);
  }
}

function line(x1: number, y1: number, x2: number, y2: number, q: number): number {
  const slope = (y2 - y1) / (x2 - x1);
  return slope * (q - x1) + y1;
}

/** Start of the segment to use for q; the outer ones extrapolate. */
function segment(axis: Float64Array, q: number): number {
  if (q <= axis[0]) return 0;
  const last = axis.length - 1;
  if (q >= axis[last]) return last - 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle] <= q) low = middle;
    else high = middle;
  }
  return low;
}

function checkAxis(axis: Float64Array, name: string): void {
  if (axis.length < 2) throw new Error(`${name} needs at least two points`);
  for (let i = 1; i < axis.length; i++)
    if (!(axis[i] > axis[i - 1])) throw new Error(`${name} must be strictly increasing`);
}

/** A float64 array in NumPy's `.npy` format, any byte order, C or Fortran layout; returned in C layout. */
function readNpy(bytes: Uint8Array, name: string): NumberArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || bytes[0] !== 0x93 || bytes[1] !== 0x4e)
    throw new Error(`${name} is not a NumPy array`);
  const isLong = bytes[6] >= 2;
  const headerBytes = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = isLong ? 12 : 10;
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + headerBytes));
  const dtype = /'descr':\s*'([<>=|]?)(\w+)'/.exec(header);
  if (dtype?.[2] !== 'f8')
    throw new Error(`${name} must be float64, found ${dtype ? dtype[1] + dtype[2] : 'a structure'}`);
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const isFortran = /'fortran_order':\s*True/.test(header);
  const count = shape.reduce((product, length) => product * length, 1);
  const data = start + headerBytes;
  if (bytes.length < data + count * 8) throw new Error(`${name} is cut short`);
  const values = new Float64Array(count);
  const rows = shape[0] ?? 1;
  for (let i = 0; i < count; i++) {
    const column = Math.floor(i / rows);
    const at = isFortran && shape.length === 2 ? (i % rows) * shape[1] + column : i;
    values[at] = view.getFloat64(data + i * 8, dtype[1] !== '>');
  }
  return { shape, values };
}
