import { Command } from 'commander';

const EXAMPLES = `
Examples:
  dynosim config schema > dynosim.schema.json
  dynosim replay --config run.yaml --set num_workers=8 --set extra_engine_args.block_size=16
  dynosim replay chat.jsonl --num-workers 4 --print-config > run.yaml`;

export function configCommand(): Command {
  const schema = new Command('schema')
    .description('Print the JSON Schema of a replay configuration, for editors that complete and check YAML')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const { configSchema } = await import('./config-schema.js');
      process.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`);
    });
  return new Command('config').description('Configurations of replays').addCommand(schema);
}
