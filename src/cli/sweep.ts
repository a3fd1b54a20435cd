import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { InputError } from '../config/input-error.js';
import { positiveInteger } from './flags.js';
import type { SweepFlags } from './sweep-flags.js';

const EXAMPLES = `
Examples:
  dynosim sweep spec.json --validate
  dynosim sweep spec.yaml --topology disaggregated --threads 2 --table-json table.json
  dynosim sweep spec.yaml --topology compare`;

export function sweepCommand(): Command {
  return new Command('sweep')
    .description('Search for the deployment that serves a workload best')
    .argument('[spec]', 'what is searched: YAML or JSON')
    .addOption(
      new Option('--topology <kind>', 'what kind of fleet the search of the reference looks at').choices([
        'aggregated',
        'disaggregated',
        'compare',
      ]),
    )
    .option('--aiconfigurator <arguments>', 'in place of a spec: the arguments of aiconfigurator cli default')
    .option('--validate', 'check the spec alone; with --table-json, write it with its defaults')
    .option('--table-json <file>', 'all evaluated states, which are feasible, and the best')
    .option('--table-csv <file>', 'all evaluated states')
    .option('--table-parquet <file>', 'all evaluated states')
    .option('--output <folder>', 'recommendation.json and .csv of a study, and what goes with them')
    .option('--journal <file>', 'keep every outcome in a file as it comes')
    .option('--queue <url>', 'run simulations on the workers of this queue (redis://host:port)')
    .option('--resume', 'go on from the journal, if it is there')
    .option(
      '--threads <n>',
      'simulations at once (default: as the spec says, or one a core)',
      positiveInteger,
    )
    .option(
      '--aic-systems <folder>',
      'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS, or those installed)',
    )
    .option('--force', 'write over files that are there')
    .option('--quiet', 'print nothing but errors')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string | undefined, flags: SweepFlags) => {
      for (const file of [flags.tableJson, flags.tableCsv, flags.tableParquet])
        if (file !== undefined && existsSync(file) && !flags.force)
          throw new InputError(`${file} exists already; add --force to write over it`);
      if (flags.resume && flags.journal === undefined) throw new InputError('--resume needs --journal');
      if ((path === undefined) === (flags.aiconfigurator === undefined))
        throw new InputError('expected a spec, or --aiconfigurator with arguments');
      const { openSpec } = await import('./sweep-spec.js');
      const { document, kind } = openSpec(path, flags);
      if (kind === 'study') {
        const { runStudyCommand } = await import('./sweep-study.js');
        return runStudyCommand(document, flags);
      }
      const { runOptimize } = await import('./sweep-optimize.js');
      await runOptimize(document, flags);
    });
}
