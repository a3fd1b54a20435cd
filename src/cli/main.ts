import { Command, CommanderError } from 'commander';
import { UserError } from '../config/user-error.js';
import { acceptCommand } from './accept.js';
import { calibrateCommand } from './calibrate.js';
import { compareSemanticsCommand } from './compare-semantics.js';
import { configCommand } from './config.js';
import { expandPrefixes } from './flags.js';
import { frontendCommand } from './frontend.js';
import { mockerCommand } from './mocker.js';
import { plannerCommand } from './planner.js';
import { replayCommand } from './replay.js';
import { reportCommand } from './report.js';
import { serveCommand } from './serve.js';
import { sweepCommand } from './sweep.js';
import { timingCommand } from './timing.js';
import { traceCommand } from './trace.js';
import { watchCommand } from './watch.js';
import { workerCommand } from './worker.js';

const BAD_INPUT = 2;
const FAILED = 1;

const EXAMPLES = `
Examples:
  dynosim trace generate --requests 2000 --output chat.jsonl     make a trace
  dynosim replay chat.jsonl --num-workers 4                      replay it on four workers
  dynosim replay chat.jsonl --num-workers 4 --html run.html      the same as a page to look at
  dynosim replay --help                                          all options of a replay`;

/** Runs the command line. @returns the exit code: 0, 1 when the run failed, 2 when the input is wrong */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('dynosim')
    .description('Simulate an LLM serving fleet: what would this traffic see, and at what cost?')
    .version('0.1.0')
    .addHelpText('after', EXAMPLES)
    .addCommand(replayCommand())
    .addCommand(reportCommand())
    .addCommand(compareSemanticsCommand())
    .addCommand(serveCommand())
    .addCommand(calibrateCommand())
    .addCommand(acceptCommand())
    .addCommand(mockerCommand())
    .addCommand(frontendCommand())
    .addCommand(sweepCommand())
    .addCommand(workerCommand())
    .addCommand(watchCommand())
    .addCommand(traceCommand())
    .addCommand(timingCommand())
    .addCommand(plannerCommand())
    .addCommand(configCommand());
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
    command.exitOverride().configureOutput({ outputError: () => {} });
  try {
    await program.parseAsync(expandPrefixes(program, argv), { from: 'user' });
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === 'commander.help') return error.exitCode;
    return complain(error.message.replace(/^error: /, '').replaceAll('\n', ' '), BAD_INPUT);
  }
  if (error instanceof UserError) return complain(error.message, error.exitCode);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined) return complain(message, FAILED);
  throw error;
}

function complain(message: string, exitCode: number): number {
  process.stderr.write(`dynosim: error: ${message}\n`);
  return exitCode;
}
