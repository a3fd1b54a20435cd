const STATISTICS = ['mean', 'min', 'max', 'median', 'p75', 'p90', 'p95', 'p99', 'std'];
const QUANTITIES = [
  'ttft_ms',
  'ttst_ms',
  'tpot_ms',
  'itl_ms',
  'e2e_latency_ms',
  'output_token_throughput_per_user',
];

/** Keys of a report that describe distributions, in the reference's order. */
export const DISTRIBUTION_COLUMNS: readonly string[] = QUANTITIES.flatMap((quantity) =>
  STATISTICS.map((statistic) => `${statistic}_${quantity}`),
);
