import { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { counted } from '../report/words.js';
import type { Bin, Spread, TraceFacts } from '../traces/inspect.js';
import { bar, barChart } from './bars.js';
import { positiveInteger } from './flags.js';
import { addReadFlags, type ReadFlags, withTrace } from './trace-source.js';

const EXAMPLES = `
Examples:
  dynosim trace inspect chat.jsonl
  dynosim trace inspect BurstGPT_1.csv
  dynosim trace inspect chat.jsonl --model Qwen/Qwen3-8B
  dynosim trace inspect qwen_traceA_blksz_16.jsonl --json`;

interface Flags extends ReadFlags {
  json?: boolean;
  bytesPerToken?: number;
  model?: string;
}

export function inspectCommand(): Command {
  return addReadFlags(new Command('inspect'), EXAMPLES)
    .description('Lengths, arrivals, sessions and prefix sharing of a trace')
    .option(
      '--bytes-per-token <n>',
      'KV bytes of a token, to show cache sizes in GB (131072 for an 8B model)',
      positiveInteger,
    )
    .option('--model <name>', 'the same for a model, by its name or folder')
    .option('--json', 'as JSON')
    .action((file: string, flags: Flags) => runInspect(file, flags));
}

async function runInspect(path: string, flags: Flags): Promise<void> {
  const bytesPerToken = flags.model === undefined ? flags.bytesPerToken : await bytesOf(flags.model, flags);
  const { inspectFile } = await import('../traces/inspect-file.js');
  const facts = await withTrace(path, flags, async (trace) => inspectFile(trace));
  process.stdout.write(flags.json ? `${JSON.stringify(facts, null, 2)}\n` : summary(facts, bytesPerToken));
}

/** KV bytes of a token of a model. */
async function bytesOf(model: string, { bytesPerToken }: Flags): Promise<number> {
  if (bytesPerToken !== undefined) throw new InputError('--model and --bytes-per-token exclude each other');
  const [{ modelKvBytes }, { systemsFolder }] = await Promise.all([
    import('../timing/roofline/capacity.js'),
    import('../setup/engines.js'),
  ]);
  try {
    return modelKvBytes(model, systemsFolder(undefined));
  } catch (error) {
    throw new InputError((error as Error).message.replace('timing.model', '--model'));
  }
}

// Made when they are used, since making one takes longer than starting the program.
const count = { format: (value: number) => value.toLocaleString('en-US') };
const amount = {
  format: (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 }),
};

function summary(facts: TraceFacts, bytesPerToken: number | undefined): string {
  const { peakPerSecond, sessions, thinkMs } = facts;
  const inSessions = sessions > 0 ? ` in ${counted(sessions, 'session')}` : '';
  const lines = [
    `Requests: ${count.format(facts.requests)}${inSessions} over ${amount.format(facts.durationMs / 1000)} s, ${amount.format(facts.requestsPerSecond)} a second; at most ${count.format(peakPerSecond.over1s)} within a second, ${amount.format(peakPerSecond.over10s)} a second over ten`,
    `Tokens: ${count.format(facts.inputTokens)} in, ${count.format(facts.outputTokens)} out`,
  ];
  if (facts.burstiness !== undefined)
    lines.push(`Burstiness (spread of gaps over their mean; Poisson 1): ${amount.format(facts.burstiness)}`);
  if (thinkMs) lines.push(`Think time (ms): ${spreadText(thinkMs)}`);
  lines.push(
    '',
    `Input tokens: ${spreadText(facts.input)}`,
    ...bars(facts.inputHistogram),
    '',
    `Output tokens: ${spreadText(facts.output)}`,
    ...bars(facts.outputHistogram),
  );
  if (facts.overTime.binMs > 0) lines.push('', ...traffic(facts));
  if (facts.blockRefs > 0) lines.push('', ...sharing(facts, bytesPerToken));
  for (const warning of facts.warnings) lines.push('', `Warning: ${warning}`);
  return `${lines.join('\n')}\n`;
}

function traffic({ overTime, sessions: known }: TraceFacts): string[] {
  const { binMs, requestsPerSecond, inputTokensPerSecond, sessions } = overTime;
  const labelOf = (bin: number) =>
    `${amount.format((bin * binMs) / 1000)} to ${amount.format(((bin + 1) * binMs) / 1000)} s`;
  const lines = ['Requests a second, over time:', ...barChart(requestsPerSecond, labelOf)];
  lines.push('', 'Input tokens a second, over time:', ...barChart(inputTokensPerSecond, labelOf));
  if (known > 0) lines.push('', 'Sessions under way, over time:', ...barChart(sessions, labelOf));
  return lines;
}

function sharing(facts: TraceFacts, bytesPerToken: number | undefined): string[] {
  const { blockRefs, distinctBlocks, idealHitRatio, cache, blockTokens, prefixGroups } = facts;
  const sizeOf = (blocks: number) => {
    const tokens = blocks * blockTokens;
    const bytes = bytesPerToken === undefined ? '' : `, ${amount.format((tokens * bytesPerToken) / 1e9)} GB`;
    return `${count.format(blocks)} blocks (${count.format(tokens)} tokens${bytes})`;
  };
  const width = Math.max(...cache.map(({ blocks }) => sizeOf(blocks).length));
  return [
    `Prompt blocks: ${count.format(blockRefs)} of ${count.format(blockTokens)} tokens, ${count.format(distinctBlocks)} distinct; in a prefix seen before: ${percent(idealHitRatio)}`,
    `Beginnings that several prompts share: ${count.format(prefixGroups.groups)}, of ${percent(prefixGroups.requestPart)} of the requests`,
    ...(facts.hitRatio ? [`Part of a prompt seen before (%): ${spreadText(facts.hitRatio, 100)}`] : []),
    ...(facts.uniqueTokens ? [`Tokens of a prompt not seen before: ${spreadText(facts.uniqueTokens)}`] : []),
    'Found again by a cache that forgets what was used longest ago, by its size:',
    ...cache.map(({ blocks, hitRatio }) => bar(sizeOf(blocks).padStart(width), hitRatio, percent(hitRatio))),
  ];
}

function spreadText(spread: Spread, times = 1): string {
  const { min, mean, median, p90, p99, max } = spread;
  const parts = { min, mean, median, p90, p99, max };
  return Object.entries(parts)
    .map(([name, value]) => `${name} ${amount.format(times * value)}`)
    .join(', ');
}

function bars(bins: readonly Bin[]): string[] {
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  return bins.map((bin) =>
    bar(`${count.format(bin.from)} to ${count.format(bin.to)}`, bin.count / most, count.format(bin.count)),
  );
}

function percent(part: number): string {
  return `${amount.format(part * 100)} %`;
}
