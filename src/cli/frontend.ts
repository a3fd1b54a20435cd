import { Command, Option } from 'commander';
import type { FrontendFlags } from '../live/dynamo/frontend/frontend.js';
import { integer, positiveInteger, wholeNumber } from './flags.js';
import { asked } from './mocker.js';
import { addDiscoveryFlags } from './mocker-flags.js';

const EXAMPLES = `
Examples:
  DYN_FILE_KV=/tmp/kv dynosim frontend --discovery-backend file --http-port 8000
  dynosim frontend --router-mode kv --router-config '{"overlap_score_credit":0.5}'`;

export function frontendCommand(): Command {
  const command = new Command('frontend')
    .description('An OpenAI-compatible endpoint before the workers of a Dynamo deployment, real or simulated')
    .addHelpText('after', EXAMPLES)
    .optionsGroup('Server:')
    .option('--http-host <address>', 'address to listen on', '127.0.0.1')
    .option('--http-port <port>', 'port to listen on; 0 for any that is free', integer, 8000)
    .option('--max-body-bytes <n>', 'largest body of a request', positiveInteger, 16 << 20)
    .option('--max-connections <n>', 'most connections at once', positiveInteger, 8192)
    .optionsGroup('Routing:')
    .addOption(
      new Option('--router-mode <mode>', 'how requests find workers')
        .choices(['round-robin', 'kv'])
        .default('round-robin'),
    )
    .option('--router-config <json>', 'KV router settings, as in a replay')
    .option('--router-seed <seed>', 'seed of choices among equal workers', wholeNumber)
    .option('--namespace <name>', 'serve the models of this namespace only');
  addDiscoveryFlags(command);
  return command.action(async (flags: FrontendFlags) => {
    const { startFrontend } = await import('../live/dynamo/frontend/frontend.js');
    const frontend = await startFrontend(flags, process.env, (line) =>
      process.stderr.write(`dynosim: warning: ${line}\n`),
    );
    process.stdout.write(`listening on ${frontend.url}\n`);
    await asked();
    await frontend.close();
  });
}
