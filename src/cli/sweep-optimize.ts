import { InputError } from '../config/input-error.js';
import { systemsFolder } from '../setup/engines.js';
import type { SpecDocument } from '../sweep/document.js';
import type { SweepRecord } from '../sweep/optimize/ranking.js';
import {
  type Comparison,
  type SearchSettings,
  type SearchTables,
  searchAggregated,
  searchBoth,
  searchSplit,
} from '../sweep/optimize/search.js';
import { type OptimizeSpec, readOptimizeSpec, specJson } from '../sweep/optimize/spec.js';
import { timingVersion } from '../sweep/optimize/versions.js';
import { comparisonJson, csvText, parquetBytes, tablesJson } from '../sweep/table-files.js';
import { type OutputPiece, writeOutputs } from './output.js';
import { openEvaluator } from './sweep-evaluator.js';
import type { SweepFlags } from './sweep-flags.js';
import { SweepProgress } from './sweep-progress.js';
import { nameOf, searchTable } from './sweep-table.js';

/** The search of the reference over dense fleets. */
export async function runOptimize(document: SpecDocument, flags: SweepFlags): Promise<void> {
  const { path } = document;
  if (flags.output !== undefined)
    throw new InputError(
      '--output is for studies; a spec of the reference has --table-json, --table-csv and --table-parquet',
    );
  const spec = readOptimizeSpec(document);
  const rules = { force: flags.force === true, inputs: [path] };
  if (flags.validate) {
    if (flags.tableJson !== undefined)
      await writeOutputs(
        new Map([[flags.tableJson, [`{"normalized_spec":${specJson(spec)}}\n`]]]),
        '--table-json',
        rules,
      );
    if (!flags.quiet) process.stdout.write(`${path} is valid\n`);
    return;
  }
  if (flags.topology === undefined)
    throw new InputError('--topology: needed, one of aggregated, disaggregated, compare');
  const tables = await searched(spec, flags);
  await writeOutputs(tableFiles(tables, flags), '--table', rules);
  if (flags.quiet) return;
  if ('agg' in tables) printComparison(tables);
  else process.stdout.write(searchTable(tables, process.stdout.isTTY === true));
}

async function searched(spec: OptimizeSpec, flags: SweepFlags): Promise<SearchTables | Comparison> {
  const { version, warning } = timingVersion(spec, systemsFolder(flags.aicSystems));
  if (warning !== undefined && !flags.quiet) process.stderr.write(`dynosim: warning: ${warning}\n`);
  const progress = new SweepProgress(flags.quiet === true);
  let best = Number.NEGATIVE_INFINITY;
  const evaluator = await openEvaluator(flags, spec.maxParallelEvals);
  const settings: SearchSettings = {
    evaluator,
    version,
    aicSystems: flags.aicSystems,
    onRecord: ({ score, feasible }) => {
      const isBetter = feasible === true && Number(score) > best;
      if (isBetter) best = Number(score);
      progress.told(isBetter ? best.toFixed(2) : undefined);
    },
  };
  try {
    if (flags.topology === 'aggregated') return await searchAggregated(spec, settings);
    if (flags.topology === 'disaggregated') return await searchSplit(spec, settings);
    return await searchBoth(spec, settings);
  } finally {
    progress.stop();
    await evaluator.close();
  }
}

function tableFiles(
  tables: SearchTables | Comparison,
  flags: SweepFlags,
): Map<string, Iterable<OutputPiece>> {
  const isBoth = 'agg' in tables;
  const records = isBoth ? [...tables.agg.evaluated, ...tables.disagg.evaluated] : tables.evaluated;
  const json = isBoth ? comparisonJson(tables) : tablesJson(tables);
  const files = new Map<string, Iterable<OutputPiece>>();
  if (flags.tableJson !== undefined) files.set(flags.tableJson, [`${JSON.stringify(json, null, 1)}\n`]);
  if (flags.tableCsv !== undefined) files.set(flags.tableCsv, [csvText(records)]);
  if (flags.tableParquet !== undefined) files.set(flags.tableParquet, [parquetBytes(records)]);
  return files;
}

function printComparison(comparison: Comparison): void {
  const { agg, disagg, chosen, chosenMode } = comparison;
  const isColored = process.stdout.isTTY === true;
  process.stdout.write(`aggregated: ${searchTable(agg, isColored)}\n`);
  process.stdout.write(`disaggregated: ${searchTable(disagg, isColored)}\n`);
  if (chosen !== null) process.stdout.write(`${sentence(comparison, chosen, chosenMode === 'agg')}\n`);
}

/** Which fleet is better, and by how much, where both have an answer. */
function sentence({ agg, disagg }: Comparison, chosen: SweepRecord, isAgg: boolean): string {
  const name = isAgg ? 'aggregated' : 'disaggregated';
  const other = isAgg ? disagg : agg;
  const rival = other.bestFeasible ?? other.bestInfeasible;
  const ratio =
    rival === null
      ? Number.NaN
      : (chosen.output_throughput_tok_s as number) /
        (other.evaluated[rival].output_throughput_tok_s as number);
  const times = Number.isFinite(ratio) ? ` ${ratio.toFixed(2)}x the output throughput` : '';
  return `${name} better:${times} with ${nameOf(chosen)}`;
}
