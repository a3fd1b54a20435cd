import { Command } from 'commander';
import { integer, positiveInteger } from './flags.js';
import type { QueryFlags } from './timing-query.js';

const EXAMPLES = `
Examples:
  dynosim timing install                              fetch the AI Configurator tables into the cache folder
  dynosim timing list                                 systems, models, backends and versions found
  dynosim timing query --backend vllm --backend-version 0.19.0 --system h200_sxm --model Qwen/Qwen3-32B --tp-size 2 \\
      --phase prefill --batch 1 --tokens 500
  dynosim timing query --gpu h100_sxm --model meta-llama/Llama-3.1-8B --phase decode --batch 32 --tokens 2000
  dynosim timing fit steps.csv                        coefficients from measured engine steps`;

export function timingCommand(): Command {
  const command = new Command('timing')
    .description('What engine passes are timed with: tables, rooflines, fits')
    .addHelpText('after', EXAMPLES);
  command
    .command('install')
    .description(
      'Fetch the public AI Configurator tables (pip download aiconfigurator-core) into the cache folder',
    )
    .option('--release <version>', 'version of the package', '0.12.0')
    .option('--force', 'replace what is installed')
    .action(async (flags: { release: string; force?: boolean }) => {
      const { installTables } = await import('../timing/aic/install.js');
      process.stdout.write(`${await installTables(flags.release, flags.force === true)}\n`);
    });
  command
    .command('list')
    .description('Systems, models, backends and versions that are there')
    .option(
      '--aic-systems <folder>',
      'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS, or those installed)',
    )
    .option('--json', 'as JSON')
    .action(async (flags: { aicSystems?: string; json?: boolean }) => {
      const { listTiming } = await import('./timing-list.js');
      process.stdout.write(listTiming(flags.aicSystems, flags.json === true));
    });
  addQuery(command);
  command
    .command('fit')
    .description('Fit pass times to measured engine steps: a CSV of phase,batch,tokens,context,ms')
    .argument('<steps>', 'CSV file with a header, or a JSON list')
    .option('--engine-log <file>', 'log of the engine, for the size of its KV cache')
    .option('--block-size <n>', 'tokens in a block of that cache', positiveInteger, 16)
    .action(async (path: string, flags: { engineLog?: string; blockSize: number }) => {
      const { fitReport } = await import('./timing-fit.js');
      process.stdout.write(fitReport(path, flags.engineLog, flags.blockSize));
    });
  return command;
}

function addQuery(command: Command): void {
  command
    .command('query')
    .description('Latency of one engine pass, operation by operation')
    .requiredOption('--model <id>', 'model id, or a folder with its config.json')
    .option('--gpu <name>', 'roofline of this GPU, instead of tables')
    .option('--backend <name>', 'vllm, sglang or trtllm', 'vllm')
    .option('--backend-version <version>', 'version of the backend')
    .option('--system <name>', 'system of the tables', 'h200_sxm')
    .option('--tp-size <n>', 'tensor parallel size', positiveInteger, 1)
    .option('--moe-tp-size <n>', 'tensor parallel size of experts', positiveInteger, 1)
    .option('--moe-ep-size <n>', 'expert parallel size', positiveInteger, 1)
    .option('--attention-dp-size <n>', 'data parallel size of attention', positiveInteger, 1)
    .option('--phase <phase>', 'prefill or decode', 'prefill')
    .option('--batch <n>', 'requests in the pass', positiveInteger, 1)
    .option(
      '--tokens <n>',
      'tokens of each request: the prompt, or the context of a decode step',
      positiveInteger,
      1000,
    )
    .option('--prefix <n>', 'tokens of the prompt that are cached', integer, 0)
    .option(
      '--aic-systems <folder>',
      'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS, or those installed)',
    )
    .option('--json', 'as JSON')
    .action(async (flags: QueryFlags) => {
      const { queryTiming } = await import('./timing-query.js');
      process.stdout.write(await queryTiming(flags));
    });
}
