import Table from 'cli-table3';
import { fitTiming, fittedTiming } from '../timing/fitted.js';
import { readPasses } from '../timing/read-table.js';
import type { MeasuredPass } from '../timing/table.js';
import { loggedBlocks } from './engine-log.js';

const PLOT_WIDTH = 41;
/** Relative error at either end of the plot. */
const PLOT_RANGE = 0.5;

/**
 * Fits pass times to measured steps: coefficients, residuals, and a plot of them.
 * @param engineLog of the engine that was measured; the engine argument then has its KV cache, too
 * @throws {InputError}
 */
export function fitReport(path: string, engineLog: string | undefined, blockTokens: number): string {
  const passes = readPasses(path);
  const coefficients = fitTiming(passes);
  const timing = fittedTiming(coefficients);
  const predicted = ({ phase, batch, tokens, context }: MeasuredPass) =>
    phase === 'prefill' ? timing.prefillMs(batch, tokens, context) : timing.decodeMs(batch, 0, context, 0);
  const table = new Table({
    head: ['phase', 'passes', 'median error', 'p90', 'worst'],
    style: { head: [], border: [], compact: true },
  });
  const plots: string[] = [];
  for (const phase of ['prefill', 'decode'] as const) {
    const rows = passes.filter((pass) => pass.phase === phase && pass.ms > 0);
    const errors = rows.map((row) => predicted(row) / row.ms - 1);
    const sizes = errors.map(Math.abs).sort((a, b) => a - b);
    const at = (part: number) => `${(100 * sizes[Math.floor((sizes.length - 1) * part)]).toFixed(1)} %`;
    table.push([phase, rows.length, at(0.5), at(0.9), at(1)]);
    plots.push(`${phase}: predicted / measured - 1, from -50 % to +50 %`, histogram(errors));
  }
  const engine: Record<string, unknown> = { timing: { type: 'fitted', ...coefficients } };
  if (engineLog !== undefined)
    Object.assign(engine, {
      block_size: blockTokens,
      num_gpu_blocks: loggedBlocks(engineLog, blockTokens, blockTokens),
    });
  const timingArgs = JSON.stringify(engine);
  return `${table.toString()}\n${plots.join('\n')}\nEngine argument:\n${timingArgs}\n`;
}

/** Counts of errors by size, as bars under each other. */
function histogram(errors: readonly number[]): string {
  const bins = Array<number>(11).fill(0);
  for (const error of errors) {
    const place = (error + PLOT_RANGE) / (2 * PLOT_RANGE);
    bins[Math.max(0, Math.min(bins.length - 1, Math.floor(place * bins.length)))]++;
  }
  const most = Math.max(1, ...bins);
  return bins
    .map((count, index) => {
      const middle = -PLOT_RANGE + ((index + 0.5) / bins.length) * 2 * PLOT_RANGE;
      const label = `${(100 * middle).toFixed(0)} %`.padStart(7);
      return `${label} ${'█'.repeat(Math.round((count / most) * PLOT_WIDTH))} ${count}`;
    })
    .join('\n');
}
