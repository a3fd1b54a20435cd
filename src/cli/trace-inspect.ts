import { Command } from 'commander';
import type { FormatName } from '../traces/formats.js';
import type { Bin, Spread, TraceFacts } from '../traces/inspect.js';
import { bar, barChart } from './bars.js';
import { float, positiveInteger } from './flags.js';
import { FORMATS_HELP, formatOption, withSource } from './trace-source.js';

const EXAMPLES = `
Examples:
  dynosim trace inspect chat.jsonl
  dynosim trace inspect BurstGPT_1.csv --format burstgpt
  dynosim trace inspect qwen_traceA_blksz_16.jsonl --format bailian --json`;

interface Flags {
  format: FormatName;
  blockSize: number;
  charactersPerToken: number;
  json?: boolean;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Lengths, arrivals and prefix sharing of a trace')
    .argument('<file>', 'trace to read; .gz and .zst are unpacked')
    .addOption(formatOption().default('mooncake'))
    .option('--block-size <tokens>', 'tokens per hash id, where the format has none', positiveInteger, 512)
    .option('--characters-per-token <n>', 'for formats that hold text', float, 4)
    .option('--json', 'as JSON')
    .addHelpText('after', `${FORMATS_HELP}\n${EXAMPLES}`)
    .action((file: string, flags: Flags) => runInspect(file, flags));
}

async function runInspect(path: string, flags: Flags): Promise<void> {
  const [{ IMPORTERS }, { inspect }] = await Promise.all([
    import('../traces/importers.js'),
    import('../traces/inspect.js'),
  ]);
  const importer = IMPORTERS[flags.format];
  const { blockSize: blockTokens, charactersPerToken } = flags;
  const facts = await withSource(path, async (source) =>
    inspect(importer.read(source, { blockTokens, charactersPerToken })),
  );
  process.stdout.write(flags.json ? `${JSON.stringify(facts, null, 2)}\n` : summary(facts));
}

// Made when they are used, since making one takes longer than starting the program.
const count = { format: (value: number) => value.toLocaleString('en-US') };
const amount = {
  format: (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 }),
};

function summary(facts: TraceFacts): string {
  const sessions = facts.sessions > 0 ? ` in ${count.format(facts.sessions)} sessions` : '';
  const lines = [
    `Requests: ${count.format(facts.requests)}${sessions} over ${amount.format(facts.durationMs / 1000)} s, ${amount.format(facts.requestsPerSecond)} a second`,
  ];
  if (facts.burstiness !== undefined)
    lines.push(`Burstiness (spread of gaps over their mean; Poisson 1): ${amount.format(facts.burstiness)}`);
  lines.push(
    '',
    `Input tokens: ${spreadText(facts.input)}`,
    ...bars(facts.inputHistogram),
    '',
    `Output tokens: ${spreadText(facts.output)}`,
    ...bars(facts.outputHistogram),
  );
  if (facts.overTime.binMs > 0) lines.push('', ...traffic(facts));
  if (facts.blockRefs > 0) lines.push('', ...sharing(facts));
  return `${lines.join('\n')}\n`;
}

function traffic({
  overTime: { binMs, requestsPerSecond, sessions },
  sessions: known,
}: TraceFacts): string[] {
  const labelOf = (bin: number) =>
    `${amount.format((bin * binMs) / 1000)} to ${amount.format(((bin + 1) * binMs) / 1000)} s`;
  const lines = ['Requests a second, over time:', ...barChart(requestsPerSecond, labelOf)];
  if (known > 0) lines.push('', 'Sessions under way, over time:', ...barChart(sessions, labelOf));
  return lines;
}

function sharing({ blockRefs, distinctBlocks, idealHitRatio, cache }: TraceFacts): string[] {
  const rows = cache.map(({ blocks, hitRatio }) => ({ label: count.format(blocks), part: hitRatio }));
  return [
    `Prompt blocks: ${count.format(blockRefs)}, ${count.format(distinctBlocks)} distinct; in a prefix seen before: ${percent(idealHitRatio)}`,
    'Found again by a cache of so many blocks that forgets what was used longest ago:',
    ...rows.map(({ label, part }) => bar(label, part, percent(part))),
  ];
}

function spreadText({ min, mean, median, p90, p99, max }: Spread): string {
  const parts = { min, mean, median, p90, p99, max };
  return Object.entries(parts)
    .map(([name, value]) => `${name} ${amount.format(value)}`)
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
