/** The nine statistics that the report gives of each distribution. */
export interface Distribution {
  mean: number;
  min: number;
  max: number;
  median: number;
  p75: number;
  p90: number;
  p95: number;
  p99: number;
  std: number;
}

export const PERCENTILES = [50, 75, 90, 95, 99] as const;

export const EMPTY_DISTRIBUTION: Distribution = {
  mean: 0,
  min: 0,
  max: 0,
  median: 0,
  p75: 0,
  p90: 0,
  p95: 0,
  p99: 0,
  std: 0,
};

/** Index of a percentile among n sorted samples: the nearest rank, halves away from zero, no interpolation. */
export function percentileRank(n: number, percentile: number): number {
  return Math.min(n - 1, Math.round(((n - 1) * percentile) / 100));
}

/** Statistics of samples in ascending order. */
export function distribution(samples: Float64Array): Distribution {
  const n = samples.length;
  if (n === 0) return EMPTY_DISTRIBUTION;
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / n;
  let squares = 0;
  for (const sample of samples) squares += (sample - mean) ** 2;
  const [median, p75, p90, p95, p99] = PERCENTILES.map((p) => samples[percentileRank(n, p)]);
  return {
    mean,
    min: samples[0],
    max: samples[n - 1],
    median,
    p75,
    p90,
    p95,
    p99,
    std: Math.sqrt(squares / n),
  };
}
