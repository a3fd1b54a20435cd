import { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { float, positiveInteger } from './flags.js';
import type { WatchFlags } from './watch-flags.js';

const DEFAULT_INTERVAL_SECONDS = 10;
const DEFAULT_SHARDS = 4;
const DEFAULT_MARGIN = 0.05;

export function watchCommand(): Command {
  return new Command('watch')
    .description('Look at traffic as it comes, and say when another deployment would serve it better')
    .requiredOption(
      '--trace-dir <folder>',
      'where shards of a trace appear (*.jsonl, in order of their names)',
    )
    .requiredOption(
      '--spec <file>',
      'a study: what may be changed, by what it is judged; its base has no trace',
    )
    .option('--state <folder>', 'where recommendations and what was seen are kept', 'dynosim-watch')
    .option('--shards <n>', 'latest shards that are looked at together', positiveInteger, DEFAULT_SHARDS)
    .option('--margin <part>', 'part by which a change must win', float, DEFAULT_MARGIN)
    .option('--interval <s>', 'time between two looks at the folder', float, DEFAULT_INTERVAL_SECONDS)
    .option('--current <file>', 'the deployment, such as recommendations/0001.yaml; read again at each look')
    .option('--follow', 'take each recommendation for the deployment from then on')
    .option('--once', 'consider the shards that are there, and end')
    .option('--threads <n>', 'simulations at once (default: one a core)', positiveInteger)
    .option(
      '--aic-systems <folder>',
      'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS, or those installed)',
    )
    .option('--quiet', 'print nothing but recommendations and errors')
    .addHelpText(
      'after',
      `
Examples:
  dynosim watch --trace-dir shards --spec study.yaml --current recommendations/0001.yaml
  dynosim watch --trace-dir shards --spec study.yaml --follow --margin 0.1`,
    )
    .action(async (flags: WatchFlags) => {
      if (flags.follow && flags.current !== undefined)
        throw new InputError('--follow and --current cannot be combined');
      const { runWatch } = await import('./watch-run.js');
      await runWatch(flags);
    });
}
