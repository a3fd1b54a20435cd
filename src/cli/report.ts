import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import type { PageRun } from '../report/picture-types.js';
import { writeOutputs } from './output.js';

const EXAMPLES = `
Examples:
  dynosim replay chat.jsonl --num-workers 4 --pictures --report-json four.json
  dynosim replay chat.jsonl --num-workers 6 --pictures --report-json six.json
  dynosim report four.json --html four.html
  dynosim report four.json six.json --html compared.html`;

/** A key that every report has. */
const KEY = 'completed_requests';

interface Flags {
  html: string;
  force?: boolean;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('Draw saved reports as one page: one run by itself, several side by side')
    .argument('<reports...>', 'report files of replays; with --pictures they hold all that can be drawn')
    .requiredOption('--html <file>', 'the page to write')
    .option('--force', 'write over a file that is there')
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Flags) => runReport(paths, flags));
}

async function runReport(paths: readonly string[], { html, force }: Flags): Promise<void> {
  const runs = paths.map((path, index) => ({ label: labelOf(paths, index), report: readReport(path) }));
  const { htmlPage } = await import('../report/page.js');
  await writeOutputs(new Map([[html, [htmlPage(runs)]]]), '--html', { force: force === true, inputs: paths });
  process.stdout.write(`Saved page to: ${html}\n`);
}

/** The name of a file, with its folder where another has the same. */
function labelOf(paths: readonly string[], index: number): string {
  const names = paths.map((path) => basename(path, '.json'));
  const isUnique = names.indexOf(names[index]) === names.lastIndexOf(names[index]);
  return isUnique ? names[index] : paths[index];
}

function readReport(path: string): PageRun['report'] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${path} (${(error as Error).message})`);
  }
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: is no JSON (${(error as Error).message.replaceAll(/\s+/g, ' ')})`);
  }
  if (typeof report !== 'object' || report === null || !(KEY in report))
    throw new InputError(`${path}: is no report of a replay: it has no ${KEY}`);
  return report as PageRun['report'];
}
