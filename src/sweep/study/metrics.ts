import type { Metrics } from '../job.js';

/** What a metric is computed from. */
interface Measured {
  metrics: Metrics;
  /** GPUs that the run held on average. */
  gpus: number;
  /** Dollars for an hour of one of them. */
  gpuHourPrice: number;
}

/** What a deployment is measured by. */
export interface Metric {
  /** 1 where more is better, -1 where less is. */
  direction: 1 | -1;
  unit: string;
  title: string;
  /** Whether it says nothing unless bounds on single requests are set. */
  needsGoals?: boolean;
  value(measured: Measured): number;
}

const MS_PER_HOUR = 3_600_000;
const MILLION = 1e6;

function reported(key: string, direction: 1 | -1, unit: string, title: string, needsGoals = false): Metric {
  const missing = direction === 1 ? 0 : Number.POSITIVE_INFINITY;
  return { direction, unit, title, needsGoals, value: ({ metrics }) => metrics[key] ?? missing };
}

function perGpu(key: string, title: string, needsGoals = false): Metric {
  return {
    direction: 1,
    unit: 'tokens/s/GPU',
    title,
    needsGoals,
    value: ({ metrics, gpus }) => (gpus > 0 ? (metrics[key] ?? 0) / gpus : 0),
  };
}

/** Metrics by the names of targets. */
export const METRICS: Readonly<Record<string, Metric>> = {
  throughput: reported('output_throughput_tok_s', 1, 'tokens/s', 'output throughput'),
  throughput_per_gpu: perGpu('output_throughput_tok_s', 'output throughput per GPU'),
  throughput_per_user: reported(
    'mean_output_token_throughput_per_user',
    1,
    'tokens/s/user',
    'output throughput per user',
  ),
  goodput: reported('goodput_output_throughput_tok_s', 1, 'tokens/s', 'goodput', true),
  goodput_per_gpu: perGpu('goodput_output_throughput_tok_s', 'goodput per GPU', true),
  ttft: reported('mean_ttft_ms', -1, 'ms', 'mean TTFT'),
  itl: reported('mean_tpot_ms', -1, 'ms', 'mean time per output token'),
  e2e_latency: reported('mean_e2e_latency_ms', -1, 'ms', 'mean request latency'),
  gpus: { direction: -1, unit: 'GPUs', title: 'GPUs', value: ({ gpus }) => gpus },
  cost: {
    direction: -1,
    unit: '$/M tokens',
    title: 'cost of a million output tokens',
    value: ({ metrics, gpuHourPrice }) =>
      metrics.total_output_tokens > 0
        ? (metrics.gpu_hours * gpuHourPrice * MILLION) / metrics.total_output_tokens
        : Number.POSITIVE_INFINITY,
  },
};

/** GPUs that a run held on average: workers that a planner adds and removes count for as long as they are there. */
export function averageGpus(metrics: Metrics): number {
  const hours = metrics.duration_ms / MS_PER_HOUR;
  return hours > 0 ? metrics.gpu_hours / hours : 0;
}
