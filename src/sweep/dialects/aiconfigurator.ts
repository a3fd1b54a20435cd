import { InputError } from '../../config/input-error.js';
import type { JsonValue } from '../../config/json.js';
import { type MadeStudy, numeric, object } from './made-study.js';

/** Values of arguments where none are given, as AI Configurator has them. */
const DEFAULTS = { isl: 4000, osl: 1000, ttft: 2000, tpot: 30, prefix: 0 };
const BACKENDS = ['trtllm', 'sglang', 'vllm'];
/** Other spellings of arguments, which older releases have. */
const ALIASES: Readonly<Record<string, string>> = {
  model: 'model-path',
  hf_id: 'model-path',
  'hf-id': 'model-path',
};
/** Arguments that ask for nothing that a search has to decide. */
const HARMLESS = ['top-n', 'debug', 'no-color', 'strict-sla'];
const FLAGS = ['debug', 'no-color', 'strict-sla', 'enable-chunked-prefill'];
/** Requests of a simulation: enough that the first burst of a closed loop does not decide. */
const REQUESTS = 1500;
const MOST_IN_FLIGHT = 4096;

/**
 * The study that answers `aiconfigurator cli default` with its arguments.
 * @param text the arguments, as after `aiconfigurator`
 * @throws {InputError} for what is no such command
 */
export function studyOfAiconfigurator(text: string): MadeStudy {
  const args = argumentsOf(text);
  const unmapped: string[] = [];
  const take = (name: string): string | undefined => {
    const value = args.get(name);
    args.delete(name);
    return value;
  };
  const need = (name: string) => {
    const value = take(name);
    if (value === undefined) throw new InputError(`--aiconfigurator: --${name} is missing`);
    return value;
  };
  const number = (name: string, missing?: number) => {
    const given = take(name);
    const value = given === undefined ? missing : Number(given);
    if (given !== undefined && !(Number(given) >= 0))
      throw new InputError(`--aiconfigurator: --${name}: expected a number, found '${given}'`);
    return value;
  };
  const [isl, osl] = [number('isl', DEFAULTS.isl)!, number('osl', DEFAULTS.osl)!];
  const prefix = number('prefix', DEFAULTS.prefix)!;
  const latency = number('request-latency');
  const [ttft, tpot] = [number('ttft', DEFAULTS.ttft)!, number('tpot', DEFAULTS.tpot)!];
  const backend = take('backend') ?? 'trtllm';
  const backends = backend === 'auto' ? BACKENDS : [backend];
  const engineArgs = object({
    free_gpu_memory_fraction: optional(number('free-gpu-memory-fraction')),
    max_model_len: optional(number('max-seq-len')),
    enable_chunked_prefill: take('enable-chunked-prefill') === undefined ? undefined : true,
  });
  const study = object({
    base: object({
      input_tokens: numeric(isl),
      output_tokens: numeric(osl),
      request_count: numeric(REQUESTS),
      ...(prefix > 0 && { shared_prefix_ratio: numeric(prefix / isl), num_prefix_groups: numeric(1) }),
      // Prefill and decode workers of TensorRT-LLM are more than the reference simulates.
      ...(backends.includes('trtllm') && { beyond_reference: true }),
    }),
    fleet: object({
      model: need('model-path'),
      gpu: need('system'),
      backend: backends,
      backend_version: take('backend-version'),
      max_gpus: numeric(number('total-gpus') ?? missing('total-gpus')),
      ...(engineArgs.size > 0 && { engine_args: engineArgs }),
    }),
    load: object({ replay_concurrency: object({ min: numeric(1), max: numeric(MOST_IN_FLIGHT) }) }),
    goals:
      latency === undefined
        ? object({ ttft_ms: numeric(ttft), itl_ms: numeric(tpot) })
        : object({ e2e_ms: numeric(latency) }),
    target: 'throughput',
  });
  for (const name of args.keys()) if (!HARMLESS.includes(name)) unmapped.push(`--${name} has no counterpart`);
  return { study, unmapped };
}

function optional(value: number | undefined): JsonValue | undefined {
  return value === undefined ? undefined : numeric(value);
}

function missing(name: string): never {
  throw new InputError(`--aiconfigurator: --${name} is missing`);
}

/** Arguments by name, without their hyphens. */
function argumentsOf(text: string): Map<string, string> {
  const words = text.trim().split(/\s+/);
  while (['aiconfigurator', 'aisimulate', 'cli'].includes(words[0])) words.shift();
  const command = words.shift();
  if (command !== 'default')
    throw new InputError(`--aiconfigurator: only 'cli default' is understood, found '${command ?? ''}'`);
  const args = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const [, written, inline] = /^--([\w-]+)(?:=(.*))?$/.exec(words[at]) ?? [];
    if (written === undefined)
      throw new InputError(
        `--aiconfigurator: expected an argument that begins with --, found '${words[at]}'`,
      );
    const hyphened = written.replaceAll('_', '-');
    const name = ALIASES[hyphened] ?? hyphened;
    if (FLAGS.includes(name)) args.set(name, 'true');
    else args.set(name, inline ?? words[++at] ?? missing(`${name} (its value)`));
  }
  return args;
}
