import { firstNotBelow, Grid } from './grid.js';
import { formatCost } from './quant.js';
import type { Slice, Slices } from './store.js';
import type { SystemSpec } from './system.js';

/** The curve of one weight shape: latency by rows of the input. */
interface Site {
  n: number;
  k: number;
  log2N: number;
  log2K: number;
  m: Float64Array;
  latencyMs: Float64Array;
}

interface Near {
  site: Site;
  distance: number;
}

interface Sites {
  list: Site[];
  byShape: Map<number, Site>;
  /** Sites near to a shape that was asked for and is not collected, nearest first. */
  near: Map<number, Near[]>;
}

const MAX_DISTANCE = 2;
const NEIGHBOURS = 4;
const OUTERMOST = 3;
const K_LIMIT = 2 ** 26;
const NO_DATA = Number.NaN;

/** Matrix products from the collected shapes, or from the nearest ones. */
export class GemmTable {
  private readonly sitesOf = new Map<string, Sites>();
  private readonly computeScale: Grid | undefined;
  private readonly scaleMatrix: Grid | undefined;

  /** @param scales tables of what static quantisation costs on top, where the version has them */
  constructor(
    private readonly slices: Slices,
    private readonly system: SystemSpec,
    scales: { compute: Slices; matrix: Slices },
  ) {
    const compute = scales.compute.get('fp8');
    const matrix = scales.matrix.get('fp8');
    this.computeScale = compute && new Grid(compute, -1);
    this.scaleMatrix = matrix && new Grid(matrix, -1);
  }

  /** Milliseconds of one product of an (m, k) with a (k, n) matrix; NaN when nothing can be said. */
  latencyMs(mode: string, m: number, n: number, k: number, lowPrecisionInput: boolean): number {
    if (mode !== 'fp8_static') return this.collectedMs(mode, m, n, k);
    let latency = this.collectedMs('fp8', m, n, k) - this.computeScaleMs(m, k);
    if (lowPrecisionInput) latency -= this.scaleMatrixMs(m, k);
    return Number.isNaN(latency) ? NO_DATA : Math.max(latency, this.leastMs(mode, m, n, k));
  }

  /** Time from arithmetic and memory alone. */
  private leastMs(mode: string, m: number, n: number, k: number): number {
    const cost = formatCost('gemm', mode);
    if (!cost) return 0;
    const { bf16Flops, fp8Flops, fp4Flops, memoryBandwidth } = this.system;
    const known = cost.speed === 4 ? fp4Flops : cost.speed === 2 ? fp8Flops : bf16Flops;
    const flops = known ?? bf16Flops * cost.speed;
    const math = ((2 * m * n * k) / flops) * 1000;
    return Math.max(math, ((cost.bytes * (m * n + m * k + n * k)) / memoryBandwidth) * 1000);
  }

  private collectedMs(mode: string, m: number, n: number, k: number): number {
    const sites = this.sites(mode);
    if (!sites) return NO_DATA;
    const site = sites.byShape.get(n * K_LIMIT + k);
    return site ? this.curveMs(mode, site, m) : this.blendedMs(mode, sites, m, n, k);
  }

  private sites(mode: string): Sites | undefined {
    let sites = this.sitesOf.get(mode);
    const slice = this.slices.get(mode);
    if (sites || !slice) return sites;
    const list = this.buildSites(mode, slice);
    const byShape = new Map(list.map((site) => [site.n * K_LIMIT + site.k, site]));
    sites = { list, byShape, near: new Map() };
    this.sitesOf.set(mode, sites);
    return sites;
  }

  private buildSites(mode: string, { coordinates, latencyMs }: Slice): Site[] {
    const list: Site[] = [];
    for (let start = 0; start < latencyMs.length; ) {
      const n = coordinates[start * 3];
      const k = coordinates[start * 3 + 1];
      let end = start + 1;
      while (coordinates[end * 3] === n && coordinates[end * 3 + 1] === k) end++;
      const m = Float64Array.from({ length: end - start }, (_, i) => coordinates[(start + i) * 3 + 2]);
      const raised = m.map((rows, i) => Math.max(latencyMs[start + i], this.leastMs(mode, rows, n, k)));
      list.push({ n, k, log2N: Number.NaN, log2K: Number.NaN, m, latencyMs: raised });
      start = end;
    }
    return list;
  }

  private curveMs(mode: string, site: Site, m: number): number {
    const { m: rows, latencyMs, n, k } = site;
    const high = firstNotBelow(rows, m);
    if (rows[high] === m) return latencyMs[high];
    if (high > 0 && high < rows.length && rows.length >= 2) {
      const part = (m - rows[high - 1]) / (rows[high] - rows[high - 1]);
      return latencyMs[high - 1] + (latencyMs[high] - latencyMs[high - 1]) * part;
    }
    const from = high === 0 ? 0 : Math.max(0, rows.length - OUTERMOST);
    const shares: number[] = [];
    for (let i = from; i < Math.min(rows.length, from + OUTERMOST); i++)
      shares.push(this.leastMs(mode, rows[i], n, k) / latencyMs[i]);
    return this.leastMs(mode, m, n, k) / median(shares);
  }

  private blendedMs(mode: string, sites: Sites, m: number, n: number, k: number): number {
    const spans = ({ m: rows }: Site) => rows[0] <= m && m <= rows[rows.length - 1];
    const all = nearSites(sites, n, k);
    const spanning = all.filter(({ site }) => spans(site));
    // Sites too far away decide, too, whether those count that do not span m.
    const anySpans = spanning.length > 0 || sites.list.some(spans);
    const near = (anySpans ? spanning : all).slice(0, NEIGHBOURS);
    let share = 0;
    let weights = 0;
    for (const { site, distance: away } of near) {
      const latency = this.curveMs(mode, site, m);
      const least = this.leastMs(mode, m, site.n, site.k);
      if (!(Number.isFinite(latency) && latency > 0 && Number.isFinite(least) && least > 0)) continue;
      const weight = 1 / (away * away + 1e-12);
      share += weight * (least / latency);
      weights += weight;
    }
    return weights > 0 ? this.leastMs(mode, m, n, k) / (share / weights) : NO_DATA;
  }

  private computeScaleMs(m: number, k: number): number {
    return this.scaled(this.computeScale, m, k, 2, false);
  }

  private scaleMatrixMs(m: number, k: number): number {
    return this.scaled(this.scaleMatrix, m, k, 3, true);
  }

  private scaled(grid: Grid | undefined, m: number, k: number, bytes: number, extrapolates: boolean): number {
    if (!grid) return NO_DATA;
    const { first, second } = grid.bounds;
    const clampedM = Math.min(Math.max(m, first[0]), first[1]);
    const clampedK = Math.min(Math.max(k, second[0]), second[1]);
    const sol = ([rows, columns]: readonly number[]) =>
      ((bytes * rows * columns) / this.system.memoryBandwidth) * 1000;
    const latency = grid.lookup([clampedM, clampedK], sol);
    const isClamped = clampedM !== m || clampedK !== k;
    return extrapolates && isClamped ? latency * (sol([m, k]) / sol([clampedM, clampedK])) : latency;
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function nearSites(sites: Sites, n: number, k: number): Near[] {
  const known = sites.near.get(n * K_LIMIT + k);
  if (known) return known;
  const near = sites.list
    .map((site) => ({ site, distance: distance(site, n, k) }))
    .filter((candidate) => candidate.distance <= MAX_DISTANCE)
    .sort((a, b) => a.distance - b.distance);
  sites.near.set(n * K_LIMIT + k, near);
  return near;
}

function distance(site: Site, n: number, k: number): number {
  if (Number.isNaN(site.log2N)) {
    site.log2N = log2(site.n);
    site.log2K = log2(site.k);
  }
  const dn = site.log2N - log2(n);
  const dk = site.log2K - log2(k);
  return Math.sqrt(dn * dn + dk * dk);
}

const FRACTION_BITS = 140n;
const RESULT_BITS = 76;
const knownLog2 = new Map<number, number>();

/** Binary logarithm of a positive integer, correctly rounded, which Math.log2 is not for some. */
function log2(value: number): number {
  const known = knownLog2.get(value);
  if (known !== undefined) return known;
  const exponent = Math.floor(Math.log2(value) + 1e-9);
  let mantissa = (BigInt(value) << FRACTION_BITS) >> BigInt(exponent);
  let bits = BigInt(exponent);
  for (let i = 0; i < RESULT_BITS; i++) {
    mantissa = (mantissa * mantissa) >> FRACTION_BITS;
    bits <<= 1n;
    if (mantissa >> (FRACTION_BITS + 1n) === 0n) continue;
    bits |= 1n;
    mantissa >>= 1n;
  }
  const result = Number(bits) / 2 ** RESULT_BITS;
  knownLog2.set(value, result);
  return result;
}
