import Table from 'cli-table3';
import pc from 'picocolors';
import type { SweepRecord } from '../sweep/optimize/ranking.js';
import type { SearchTables } from '../sweep/optimize/search.js';

const amount = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const TOP = 10;
const STATE = [
  'tp',
  'workers',
  'prefill_tp',
  'decode_tp',
  'prefill_workers',
  'decode_workers',
  'router_mode',
  'overlap_score_credit',
  'prefill_load_scale',
];
const NUMBERS = [
  'total_gpus_used',
  'output_throughput_tok_s',
  'prefix_cache_reused_ratio',
  'mean_ttft_ms',
  'mean_tpot_ms',
  'mean_e2e_latency_ms',
];

/** The best states of a search, feasible ones first, or those that miss the goals least. */
export function searchTable(tables: SearchTables, isColored: boolean): string {
  const { evaluated, feasible } = tables;
  const color = pc.createColors(isColored);
  const shown =
    feasible.length > 0
      ? feasible.map((at) => evaluated[at])
      : [...evaluated].sort((a, b) => Number(a.violation_penalty) - Number(b.violation_penalty));
  const columns = [...STATE.filter((column) => column in (evaluated[0] ?? {})), ...NUMBERS];
  if (feasible.length === 0) columns.push('violation_penalty');
  const table = new Table({
    head: columns.map((column) => color.bold(column.replaceAll('_', ' '))),
    style: { head: [], border: [], compact: true },
    wordWrap: true,
    colAligns: columns.map(() => 'right' as const),
  });
  for (const record of shown.slice(0, TOP)) table.push(columns.map((column) => cell(record[column])));
  const failures = evaluated.filter((record) => 'error' in record);
  const lines = [
    `${feasible.length} of ${evaluated.length} evaluated states meet the goals${feasible.length > 0 ? '' : '; these miss them least'}`,
    table.toString(),
    ...failures.map((record) => `failed: ${nameOf(record)}: ${record.error}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The state of a record in a line. */
export function nameOf(record: SweepRecord): string {
  return STATE.filter((column) => column in record)
    .map((column) => `${column}=${record[column]}`)
    .join(' ');
}

function cell(value: SweepRecord[string] | undefined): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'number' ? amount.format(value) : String(value);
}
