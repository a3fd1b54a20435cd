import { basename, join } from 'node:path';
import { recordJson, reportJson } from '../report/json.js';
import type { Pictures } from '../report/picture-types.js';
import { plannerPicture } from '../report/planner-picture.js';
import type { ReplayResult } from '../report/result.js';
import type { Target } from './output.js';

/** What AIPerf writes of a benchmark. */
const ARTIFACTS = ['profile_export.jsonl', 'profile_export_aiperf.json', 'profile_export_aiperf.csv'];

/** Files that a replay is asked to write. */
export interface OutputFlags {
  reportJsonl?: string;
  records?: string;
  artifacts?: string;
  modelName?: string;
  html?: string;
  pictures?: boolean;
  traceEvents?: string;
}

/** Files that are asked for, with the options that do; those of AIPerf go by its names. */
export function outputTargets(flags: OutputFlags, reportPath: string): Target[] {
  const targets: Target[] = [{ option: '--report-json', path: reportPath }];
  const add = (option: string, path: string | undefined) => {
    if (path !== undefined) targets.push({ option, path });
  };
  add('--report-jsonl', flags.reportJsonl);
  add('--records', flags.records);
  add('--html', flags.html);
  add('--trace-events', flags.traceEvents);
  if (flags.artifacts !== undefined)
    for (const name of ARTIFACTS) add('--artifacts', join(flags.artifacts, name));
  return targets;
}

/** Which requests must be kept for these files. */
export function keptRecords({ records, artifacts, reportJsonl, traceEvents }: OutputFlags) {
  if (records !== undefined) return 'all' as const;
  return artifacts !== undefined || reportJsonl !== undefined || traceEvents !== undefined
    ? ('ended' as const)
    : undefined;
}

/** Whether what pictures show must be kept for these files. */
export function keepsPictures({ html, pictures, traceEvents }: OutputFlags): boolean {
  return html !== undefined || traceEvents !== undefined || pictures === true;
}

/**
 * What a replay writes: pieces of text by path.
 * @param reportPath where the report goes
 * @param traces what was replayed
 * @param settings what was asked for, by name
 */
export async function replayOutputs(
  { report, records, planner }: ReplayResult,
  reportPath: string,
  traces: readonly string[],
  settings: Record<string, string>,
  flags: OutputFlags,
): Promise<Map<string, Iterable<string>>> {
  const { pictures: _, ...plain } = report;
  const drawn = report.pictures as Pictures | undefined;
  const pictures = drawn && { ...drawn, settings };
  const planned = pictures && planner ? { planner_picture: plannerPicture(planner) } : {};
  const full = pictures ? { ...plain, pictures, ...planned } : plain;
  const files = new Map<string, Iterable<string>>([
    [reportPath, [reportJson(flags.pictures ? full : plain)]],
  ]);
  const ended = records.filter((record) => record.status !== 'unfinished');
  if (flags.reportJsonl !== undefined && ended.length > 0)
    files.set(
      flags.reportJsonl,
      lines(ended, (outcome) => recordJson(outcome, false)),
    );
  if (flags.records !== undefined)
    files.set(
      flags.records,
      lines(records, (outcome) => recordJson(outcome)),
    );
  if (flags.artifacts !== undefined) {
    const { aiperfFiles } = await import('../report/aiperf.js');
    for (const [name, file] of aiperfFiles(ended, flags.modelName ?? 'simulated'))
      files.set(join(flags.artifacts, name), file);
  }
  if (flags.html !== undefined) {
    const { htmlPage } = await import('../report/page.js');
    files.set(flags.html, [htmlPage([{ label: labelOf(traces), report: full }])]);
  }
  if (flags.traceEvents !== undefined) {
    const { traceEvents } = await import('../report/trace-events.js');
    files.set(flags.traceEvents, traceEvents(records, pictures!.pools));
  }
  return files;
}

/** What a run is called on a page. */
export function labelOf(traces: readonly string[]): string {
  return traces.length > 0 ? traces.map((path) => basename(path)).join(', ') : 'synthetic load';
}

function* lines<T>(items: Iterable<T>, textOf: (item: T) => string): Generator<string> {
  for (const item of items)
    yield `${textOf(item)}
`;
}
