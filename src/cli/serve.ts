import { Command, Option } from 'commander';
import { InputError } from '../config/input-error.js';
import { JsonNumber } from '../config/json.js';
import type { Scenario } from '../config/scenario/scenario.js';
import type { LiveServer } from '../live/openai/server.js';
import { float, integer, positiveInteger, wholeNumber } from './flags.js';
import { addSettingFlags, flagSettings } from './replay-flags.js';

const EXAMPLES = `
Examples:
  dynosim serve --model mock --num-workers 4
  dynosim serve --model mock --num-workers 4 --router-mode kv_router --port 8000
  dynosim serve --extra-engine-args '{"engine_type":"sglang","speedup_ratio":10}'
  dynosim serve --prefill-engine-args '{"worker_type":"prefill"}' --decode-engine-args '{"worker_type":"decode"}'
  dynosim serve --fault 'latency; ms=200; rate=0.1, cut; after=5; rate=0.01'`;

interface ServeFlags {
  [flag: string]: unknown;
  model: string;
  modelPath?: string;
  host: string;
  port: number;
  speedupRatio?: number;
  defaultOutputTokens: number;
  maxWaiting?: number;
  overloadStatus: string;
  maxBodyBytes: number;
  maxConnections: number;
  reasoning?: string;
  fault?: string;
  seed: bigint;
  kvEventsPort?: number;
  kvReplayPort?: number;
  kvEventsTopic: string;
  quiet?: boolean;
}

const MOST_PORT = 65_535;

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serve a simulated fleet in real time behind an OpenAI-compatible endpoint')
    .addHelpText('after', EXAMPLES)
    .optionsGroup('Server:')
    .option('--model <name>', 'name under which the model is served', 'mock')
    .option('--model-path <folder>', 'Hugging Face tokenizer (default: one token a byte)')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 for any that is free', integer, 8000)
    .option('--default-output-tokens <n>', 'length of answers that no client limits', positiveInteger, 128)
    .option('--max-waiting <n>', 'refuse requests while so many wait for their first token', positiveInteger)
    .addOption(
      new Option('--overload-status <status>', 'status of such refusals')
        .choices(['529', '503'])
        .default('529'),
    )
    .option('--max-body-bytes <n>', 'largest body of a request', positiveInteger, 16 << 20)
    .option('--max-connections <n>', 'most connections at once', positiveInteger, 8192)
    .option('--kv-events-port <port>', "tell KV events over ZMQ in vLLM's format; 0 for any port", integer)
    .option('--kv-replay-port <port>', 'port on which those that were missed can be had', integer)
    .option('--kv-events-topic <topic>', 'first frame of these messages', '')
    .option(
      '--speedup-ratio <ratio>',
      'how much faster than real time engines run that say nothing else',
      float,
    )
    .option(
      '--reasoning <json>',
      'tokens of reasoning: {"start_thinking_token_id":..,"end_thinking_token_id":..,"thinking_ratio":..}',
    )
    .option('--fault <faults>', 'what goes wrong: kind; setting=value, ... (docs/live.md)')
    .addOption(
      new Option('--seed <seed>', 'seed of generated tokens and of faults')
        .argParser(wholeNumber)
        .default(42n, '42'),
    )
    .option('--quiet', 'say nothing but errors');
  addSettingFlags(command, ['Trace', 'Synthetic load', 'Goals']);
  return command.action(async (flags: ServeFlags) => {
    const server = await start(command, flags);
    if (!flags.quiet) {
      for (const warning of server.warnings) process.stderr.write(`dynosim: warning: ${warning}\n`);
      process.stdout.write(`serving ${flags.model} on ${server.url}\n`);
      for (const { stage, worker, rank, endpoint, replay_endpoint } of server.kvEventPlaces())
        process.stdout.write(
          `KV events of ${stage} worker ${worker} rank ${rank}: ${endpoint}${replay_endpoint ? `, replay ${replay_endpoint}` : ''}\n`,
        );
    }
    await stopped();
    if (!flags.quiet) process.stderr.write('draining; once more to stop at once\n');
    process.once('SIGINT', () => process.exit(130));
    process.once('SIGTERM', () => process.exit(143));
    await server.close();
  });
}

async function start(command: Command, flags: ServeFlags): Promise<LiveServer> {
  const { port, kvEventsPort, kvReplayPort, kvEventsTopic } = flags;
  checkPort('--port', port);
  checkPort('--kv-events-port', kvEventsPort);
  checkPort('--kv-replay-port', kvReplayPort);
  if (kvEventsPort === undefined && kvReplayPort !== undefined)
    throw new InputError('--kv-replay-port: needs --kv-events-port');
  const { startServer } = await import('../live/openai/server.js');
  const { parseFaults } = await import('../live/openai/faults.js');
  const { parseReasoning } = await import('../live/text/reasoning.js');
  return startServer({
    fleet: await fleetOf(command, flags),
    host: flags.host,
    port,
    modelName: flags.model,
    modelPath: flags.modelPath,
    defaultOutputTokens: flags.defaultOutputTokens,
    reasoning: flags.reasoning === undefined ? undefined : parseReasoning(flags.reasoning, '--reasoning'),
    seed: flags.seed,
    faults: parseFaults(flags.fault ?? '', '--fault'),
    mostWaiting: flags.maxWaiting,
    overloadStatus: flags.overloadStatus === '503' ? 503 : 529,
    mostBodyBytes: flags.maxBodyBytes,
    mostConnections: flags.maxConnections,
    kvEvents:
      kvEventsPort === undefined
        ? undefined
        : { port: kvEventsPort, replayPort: kvReplayPort, topic: kvEventsTopic },
  });
}

function checkPort(flag: string, port = 0): void {
  if (port < 0 || port > MOST_PORT)
    throw new InputError(`${flag}: must be from 0 to ${MOST_PORT}, found ${port}`);
}

/** The fleet of these flags, with the speed that all its engines have that name none. */
async function fleetOf(command: Command, { speedupRatio }: ServeFlags): Promise<Scenario> {
  const { readFleet } = await import('../setup/scenario.js');
  const { json, names } = flagSettings(command, []);
  const stages = ['prefill_engine_args', 'decode_engine_args'].filter((key) => json.has(key));
  for (const key of stages.length > 0 ? stages : ['extra_engine_args']) {
    const engine = json.get(key) ?? new Map();
    if (speedupRatio === undefined || !(engine instanceof Map) || engine.has('speedup_ratio')) continue;
    json.set(key, new Map([...engine, ['speedup_ratio', new JsonNumber(String(speedupRatio))]]));
  }
  return readFleet(json, names);
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
