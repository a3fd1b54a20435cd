import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { InputError } from '../config/input-error.js';
import { systemsFolder } from '../setup/engines.js';
import type { SpecDocument } from '../sweep/document.js';
import { answerFiles, possibleFiles } from '../sweep/study/files.js';
import { readStudySpec } from '../sweep/study/read-spec.js';
import { ledgerRecords, recommendationText } from '../sweep/study/result-json.js';
import { runStudy, type StudyResult } from '../sweep/study/study.js';
import { targetText } from '../sweep/study/words.js';
import { csvText, parquetBytes } from '../sweep/table-files.js';
import { OutputFiles, type OutputPiece, type Target } from './output.js';
import { openEvaluator } from './sweep-evaluator.js';
import type { SweepFlags } from './sweep-flags.js';
import { SweepProgress } from './sweep-progress.js';
import { studyText } from './sweep-study-text.js';

/** A search over everything that a scenario can set. */
export async function runStudyCommand(document: SpecDocument, flags: SweepFlags): Promise<void> {
  if (flags.topology !== undefined)
    throw new InputError('--topology is for specs of the reference; a study has fleet.topologies');
  const spec = readStudySpec(document, systemsFolder(flags.aicSystems));
  if (flags.validate) {
    if (!flags.quiet) process.stdout.write(`${document.path} is valid: ${spec.space.size} candidates\n`);
    return;
  }
  const outputs = OutputFiles.open(targetsOf(flags), {
    force: flags.force === true,
    inputs: [document.path],
  });
  const progress = new SweepProgress(flags.quiet === true);
  const evaluator = await openEvaluator(flags);
  let best = Number.NEGATIVE_INFINITY;
  let result: StudyResult;
  try {
    result = await runStudy(spec, evaluator, {
      onPlan: (candidates) => progress.expect(candidates),
      onRun: () => progress.ran(),
      onEntry: (entry) => {
        if (entry.isEstimate) return;
        const isBetter = entry.status === 'feasible' && entry.objectives[0] > best;
        if (isBetter) best = entry.objectives[0];
        progress.told(isBetter ? targetText(spec.targets[0], entry.values[0]) : undefined);
      },
    });
  } finally {
    progress.stop();
    await evaluator.close();
  }
  const files = filesOf(result, basename(document.path), flags);
  for (const [path, piece] of files) await outputs.write(path, [piece]);
  outputs.commit();
  if (flags.output !== undefined) removeOlder(flags.output, files);
  if (!flags.quiet) process.stdout.write(studyText(result, process.stdout.isTTY === true));
}

/** Files that are asked for, by the options that do. */
function targetsOf({ output, tableJson, tableCsv, tableParquet }: SweepFlags): Target[] {
  const targets: Target[] = [];
  if (tableJson !== undefined) targets.push({ option: '--table-json', path: tableJson });
  if (tableCsv !== undefined) targets.push({ option: '--table-csv', path: tableCsv });
  if (tableParquet !== undefined) targets.push({ option: '--table-parquet', path: tableParquet });
  if (output !== undefined)
    for (const name of possibleFiles()) targets.push({ option: '--output', path: join(output, name) });
  return targets;
}

function filesOf(
  result: StudyResult,
  title: string,
  { output, tableJson, tableCsv, tableParquet }: SweepFlags,
): Map<string, OutputPiece> {
  const files = new Map<string, OutputPiece>();
  if (tableJson !== undefined) files.set(tableJson, recommendationText(result));
  if (tableCsv !== undefined) files.set(tableCsv, csvText(ledgerRecords(result)));
  if (tableParquet !== undefined) files.set(tableParquet, parquetBytes(ledgerRecords(result)));
  if (output !== undefined)
    for (const [name, text] of answerFiles(result, title)) files.set(join(output, name), text);
  return files;
}

/** Removes files of an answer that this one has in its place but does not have itself. */
function removeOlder(output: string, files: ReadonlyMap<string, unknown>): void {
  for (const name of possibleFiles())
    if (!files.has(join(output, name))) rmSync(join(output, name), { force: true });
}
