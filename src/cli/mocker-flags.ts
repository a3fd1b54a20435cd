import { type Command, InvalidArgumentError, Option } from 'commander';
import { float, integer, wholeNumber } from './flags.js';

const DTYPES = ['auto', 'bfloat16', 'fp8', 'fp8_ds_mla', 'fp8_e4m3', 'fp8_e5m2', 'fp8_inc'];
const BANDWIDTHS = ['g1-to-g2', 'g2-to-g1', 'g2-to-g3', 'g3-to-g2', 'g2-to-g4', 'g4-to-g2'];

function positive(text: string): number {
  const value = integer(text);
  if (value <= 0) throw new InvalidArgumentError(`must be positive, got ${value}.`);
  return value;
}

function notNegative(read: (text: string) => number): (text: string) => number {
  return (text) => {
    const value = read(text);
    if (value < 0) throw new InvalidArgumentError(`must be non-negative, got ${text}.`);
    return value;
  };
}

/** Ports, one for each worker, separated by commas. */
function ports(text: string): number[] {
  return text.split(',').map((part) => {
    const port = integer(part);
    if (port < 0 || port > 65535)
      throw new InvalidArgumentError(`expected ports below 65536, found ${part}.`);
    return port;
  });
}

function choice(flags: string, description: string, choices: string[], initial?: string): Option {
  const option = new Option(flags, description).choices(choices);
  return initial === undefined ? option : option.default(initial);
}

export function addWorkerFlags(command: Command): void {
  command
    .optionsGroup('Model and workers:')
    .option('--model-path <folder>', 'folder of the model: its tokenizer and configuration')
    .option('--model-name <name>', 'served name (default: the model path)')
    .option('--endpoint <path>', 'where workers stand: dyn://namespace.component.endpoint')
    .option('--num-workers <n>', 'workers in this process', integer, 1)
    .option('--stagger-delay <s>', 'pause between starts of workers; -1: by their number', float, -1)
    .option('--startup-time <s>', 'time until engines run; requests wait meanwhile', float)
    .option('--extra-engine-args <path>', 'JSON file of engine arguments, instead of all engine flags below')
    .option('--seed <n>', 'of the token ids (default: another one each time)', wholeNumber)
    .option(
      '--cache-answers',
      'cache the blocks of an answer as what was said, so that a next turn finds them',
    )
    .option('--tell-errors', 'tell of errors in streams as errors; the reference’s workers lose them')
    .option('--response-replay-trace-path <path>', 'JSONL rows with output_token_ids for output_replay_id')
    .option('--reasoning <json>', 'start_thinking_token_id, end_thinking_token_id, thinking_ratio');
}

export function addEngineFlags(command: Command): void {
  command
    .optionsGroup('Engine:')
    .addOption(choice('--engine-type <type>', 'scheduler', ['vllm', 'sglang', 'trtllm'], 'vllm'))
    .option(
      '--num-gpu-blocks-override <n>',
      'KV blocks of a rank (default: 16384, by size with AIC)',
      integer,
    )
    .option('--block-size <tokens>', 'tokens of a KV block (default: vllm 64, sglang 1, trtllm 32)', integer)
    .option('--max-model-len <tokens>', 'most tokens of prompt and output together', positive)
    .option('--max-num-seqs <n>', 'most requests of a pass', integer, 256)
    .option('--max-num-batched-tokens <n>', 'most tokens of a pass', integer, 8192)
    .option('--enable-prefix-caching', 'reuse cached prefixes (default)')
    .option('--no-enable-prefix-caching', 'do not')
    .option('--enable-chunked-prefill', 'compute prompts in chunks (default)')
    .option('--no-enable-chunked-prefill', 'do not')
    .addOption(choice('--g1-backend <pool>', 'block pool', ['kvbm', 'native']))
    .addOption(choice('--preemption-mode <order>', 'who gives way', ['lifo', 'fifo'], 'lifo'))
    .option('--speedup-ratio <x>', 'how much faster than real time; 0: without any delay', float, 1)
    .option('--decode-speedup-ratio <x>', 'further speed of decoding', float, 1)
    .option('--data-parallel-size <n>', 'ranks of a worker', integer, 1)
    .option('--planner-profile-data <path>', 'measured timing grid (.npz)')
    .option(
      '--timing <json>',
      'timing such as {"type":"roofline","gpu":"h100_sxm",...} (not in the reference)',
    );
  addAicFlags(command);
  addKindFlags(command);
}

function addAicFlags(command: Command): void {
  command
    .optionsGroup('Timing and capacity from AI Configurator:')
    .option('--aic-perf-model', 'switches these on')
    .option('--aic-systems <folder>', 'its tables (default: $DYNOSIM_AIC_SYSTEMS)')
    .option('--aic-system <name>', 'GPU system')
    .addOption(choice('--aic-backend <name>', 'backend (default: engine type)', ['vllm', 'sglang', 'trtllm']))
    .option('--aic-backend-version <version>', 'version of the backend');
  for (const name of ['tp-size', 'moe-tp-size', 'moe-ep-size', 'attention-dp-size'])
    command.option(`--aic-${name} <n>`, name.replaceAll('-', ' '), integer);
  for (const name of ['gpu-memory-utilization', 'mem-fraction-static', 'free-gpu-memory-fraction'])
    command.option(`--${name} <part>`, 'part of GPU memory', float);
  command
    .option('--aic-nextn <n>', 'speculative tokens, 1 to 5', integer)
    .option('--aic-nextn-accept-rates <list>', 'their conditional acceptance rates')
    .addOption(
      new Option('--aic-mtp-seed <n>', 'seed of speculation').argParser(wholeNumber).default(42n, '42'),
    );
}

function addKindFlags(command: Command): void {
  const count = notNegative(integer);
  command
    .optionsGroup('SGLang and TensorRT-LLM:')
    .addOption(choice('--sglang-schedule-policy <policy>', 'order of prompts', ['fifo', 'fcfs', 'lpm']));
  for (const name of ['page-size', 'max-prefill-tokens', 'chunked-prefill-size', 'clip-max-new-tokens'])
    command.option(`--sglang-${name} <tokens>`, name.replaceAll('-', ' '), integer);
  command
    .option('--sglang-schedule-conservativeness <x>', 'schedule conservativeness', float)
    .addOption(choice('--trtllm-capacity-scheduler-policy <policy>', 'the only one', ['guaranteed_no_evict']))
    .optionsGroup('KV transfer and cache tiers:')
    .option('--kv-transfer-bandwidth <GB/s>', 'from prefill to decode; 0: no delay', float, 64)
    .addOption(
      choice(
        '--kv-transfer-timing-mode <mode>',
        'what is transferred',
        ['full_prompt', 'destination_missing'],
        'full_prompt',
      ),
    )
    .addOption(choice('--kv-cache-dtype <type>', 'for the bytes of a token', DTYPES, 'auto'))
    .option('--kv-bytes-per-token <bytes>', 'KV of a token (default: by the model’s configuration)', integer)
    .option('--num-g2-blocks <n>', 'host blocks', count)
    .option('--num-g3-blocks <n>', 'disk blocks', count)
    .option('--offload-batch-size <n>', 'blocks of an offload', count)
    .option('--enable-g4-storage', 'an object store');
  for (const name of BANDWIDTHS)
    command.option(
      `--bandwidth-${name}-gbps <GB/s>`,
      `bandwidth ${name.replaceAll('-', ' ')}`,
      notNegative(float),
    );
}

export function addPlaneFlags(command: Command): void {
  command
    .optionsGroup('Disaggregation and events:')
    .addOption(choice('--disaggregation-mode <role>', 'what workers do', ['agg', 'prefill', 'decode']))
    .option('--is-prefill-worker', 'the same as --disaggregation-mode prefill, deprecated')
    .option('--is-decode-worker', 'the same as --disaggregation-mode decode, deprecated')
    .option('--bootstrap-ports <list>', 'where prefill workers meet decode workers, one each', ports)
    .option('--zmq-kv-events-ports <list>', 'KV events in vLLM’s format, a port for each worker', ports)
    .option('--zmq-replay-ports <list>', 'replay of these events', ports);
  addDiscoveryFlags(command);
}

/** How members of a deployment find and reach each other; where no flag says it, the environment does. */
export function addDiscoveryFlags(command: Command): void {
  command
    .optionsGroup('Planes:')
    .addOption(
      choice('--discovery-backend <name>', 'how members find each other', [
        'kubernetes',
        'etcd',
        'file',
        'mem',
      ]),
    )
    .addOption(choice('--request-plane <name>', 'how requests travel', ['nats', 'tcp']))
    .addOption(choice('--event-plane <name>', 'how events travel', ['nats', 'zmq']));
}
