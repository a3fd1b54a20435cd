import Table from 'cli-table3';
import pc from 'picocolors';
import type { Report } from './report.js';

const STATISTICS = ['mean', 'min', 'max', 'p99', 'p90', 'p75', 'std'] as const;

const DISTRIBUTIONS: readonly [title: string, name: string][] = [
  ['Time to First Token (ms)', 'ttft_ms'],
  ['Time to Second Token (ms)', 'ttst_ms'],
  ['Time per Output Token (ms)', 'tpot_ms'],
  ['Request Latency (ms)', 'e2e_latency_ms'],
  ['Inter Token Latency (ms)', 'itl_ms'],
  ['Output Token Throughput Per User (tokens/sec/user)', 'output_token_throughput_per_user'],
];

const TOTALS: readonly [title: string, key: string][] = [
  ['Output Token Throughput (tokens/sec)', 'output_throughput_tok_s'],
  ['Request Throughput (requests/sec)', 'request_throughput_rps'],
  ['Request Count (requests)', 'completed_requests'],
];

const amount = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const count = new Intl.NumberFormat('en-US');

/** The summary that a replay prints. @param isColored whether the output is a terminal */
export function summaryTable(report: Report, isColored: boolean): string {
  const color = pc.createColors(isColored);
  const table = new Table({
    head: ['Metric', 'avg', 'min', 'max', 'p99', 'p90', 'p75', 'std'].map((title) => color.bold(title)),
    colAligns: ['left', ...STATISTICS.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const [title, name] of DISTRIBUTIONS)
    table.push([
      title,
      ...STATISTICS.map((statistic) => amount.format(report[`${statistic}_${name}`] as number)),
    ]);
  for (const [title, key] of TOTALS)
    table.push([title, amount.format(report[key] as number), ...STATISTICS.slice(1).map(() => 'N/A')]);
  const lines = [color.bold('dynosim | LLM Metrics'), table.toString(), ...notes(report)];
  return `${lines.join('\n')}\n`;
}

function notes(report: Report): string[] {
  const number = (key: string) => report[key] as number;
  const failed = number('failed_requests');
  const notes = [
    `Requests: ${count.format(number('completed_requests'))} completed, ${count.format(number('rejected_requests'))} rejected, ${count.format(number('unfinished_requests'))} unfinished, ${count.format(number('preempted_requests'))} preempted${failed > 0 ? `, ${count.format(failed)} failed` : ''}`,
    `Simulated Time (s): ${amount.format(number('duration_ms') / 1000)}   GPU Hours: ${amount.format(number('gpu_hours'))}`,
    `Wall Time (ms): ${amount.format(number('wall_time_ms'))}`,
    `Prefix Cache Reused Ratio: ${amount.format(number('prefix_cache_reused_ratio'))}`,
    `First Admission Prefix Cache Reused Ratio: ${amount.format(number('first_admission_prefix_cache_reused_ratio'))}`,
  ];
  if ('goodput_completed_requests' in report)
    notes.push(
      `Goodput: ${count.format(number('goodput_completed_requests'))} requests, ${amount.format(number('goodput_request_throughput_rps'))} requests/sec, ${amount.format(number('goodput_output_throughput_tok_s'))} tokens/sec`,
    );
  return notes;
}
