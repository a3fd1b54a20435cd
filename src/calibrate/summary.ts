import Table from 'cli-table3';
import { overheadsJson } from '../config/overheads.js';
import type { Calibration } from './calibrate.js';
import { byLoad, type Errors, errorsOf, METRICS, type Pair, reuseError, throughputError } from './errors.js';

const TITLES = { ttft: 'TTFT', tpot: 'TPOT', e2e: 'E2E' } as const;

/** What a calibration found, and how good it is on the requests that were not fitted. */
export function calibrationJson(calibration: Calibration) {
  const { settings, kvBlocks, before, after, heldOut, replays } = calibration;
  return {
    settings: {
      overheads: overheadsJson(settings.overheads),
      prefill_speed: settings.prefillSpeed,
      decode_speed: settings.decodeSpeed,
      num_gpu_blocks: kvBlocks,
    },
    requests: { fitted: heldOut, held_out: after.length - heldOut },
    replays,
    held_out_errors: { before: errorSections(before, heldOut), after: errorSections(after, heldOut) },
    fitted_errors: {
      before: metricErrors(before.slice(0, heldOut)),
      after: metricErrors(after.slice(0, heldOut)),
    },
  };
}

function errorSections(pairs: readonly Pair[], heldOut: number) {
  const judged = pairs.slice(heldOut);
  const reuse = reuseError(judged);
  const loads = Object.entries(byLoad(pairs, judged));
  return {
    ...metricErrors(judged),
    output_throughput: throughputError(judged),
    ...(reuse !== undefined && { cached_part_of_input: reuse }),
    by_load: Object.fromEntries(loads.map(([name, some]) => [name, metricErrors(some)])),
  };
}

function metricErrors(pairs: readonly Pair[]): Record<string, Errors> {
  return Object.fromEntries(METRICS.map((metric) => [metric, errorsOf(pairs, metric)]));
}

const percent = (part: number) => `${part >= 0 ? '+' : ''}${(100 * part).toFixed(1)} %`;

/** The same for a terminal. */
export function calibrationText(calibration: Calibration): string {
  const { settings, kvBlocks, before, after, heldOut, replays } = calibration;
  const was = before.slice(heldOut);
  const is = after.slice(heldOut);
  const statistics = Object.keys(errorsOf(is, 'ttft'));
  const table = new Table({
    head: ['simulated / measured - 1', ...statistics.flatMap((name) => [`${name} before`, 'after'])],
    style: { head: [], border: [], compact: true },
  });
  const add = (title: string, some: readonly Pair[], others: readonly Pair[]) => {
    for (const metric of METRICS) {
      const [old, fresh] = [errorsOf(some, metric), errorsOf(others, metric)];
      if (fresh.mean === undefined) continue;
      table.push([
        `${TITLES[metric]}${title}`,
        ...statistics.flatMap((name) => [percent(old[name]), percent(fresh[name])]),
      ]);
    }
  };
  add('', was, is);
  const regimes = byLoad(after, is);
  const indexOf = new Map(after.map((pair, index) => [pair, index]));
  for (const [name, pairs] of Object.entries(regimes))
    add(
      `, ${name} load`,
      pairs.map((pair) => before[indexOf.get(pair)!]),
      pairs,
    );
  const reuse = reuseError(is);
  const overheads = Object.entries(overheadsJson(settings.overheads));
  const lines = [
    `Held out: the last ${is.length} of ${after.length} requests; ${replays} replays`,
    table.toString(),
    `Output throughput: ${percent(throughputError(was))} before, ${percent(throughputError(is))} after`,
    ...(reuse === undefined ? [] : [`Cached part of the input: ${percent(reuse)} of the input too much`]),
    `Overheads: ${overheads.length === 0 ? 'none' : overheads.map(([name, ms]) => `${name} ${Number(ms.toPrecision(4))}`).join(', ')}`,
    `Speed against the timing model: prompts ${settings.prefillSpeed.toFixed(3)}, generation ${settings.decodeSpeed.toFixed(3)}; KV blocks ${kvBlocks.join(' and ')}`,
  ];
  return `${lines.join('\n')}\n`;
}
