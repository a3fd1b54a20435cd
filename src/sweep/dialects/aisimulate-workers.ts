import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import { numeric, object } from './made-study.js';
import type { Taken } from './taken.js';

const SPREADS = ['replicas', 'tensor', 'attention_data', 'moe_tensor', 'moe_expert'] as const;
const MEMORY: Readonly<Record<string, string>> = {
  sglang: 'mem_fraction_static',
  trtllm: 'free_gpu_memory_fraction',
};

/** What a worker pool may be: how it is spread, and engine arguments with a value or a domain each. */
export function workerDomains(
  worker: Taken,
  backend: string,
): { parallelism: JsonValue | undefined; settings: JsonObject } {
  const settings: JsonObject = new Map();
  const put = (key: string, value: JsonValue | undefined) => {
    if (value !== undefined && value !== null && value !== 'auto') settings.set(key, value);
  };
  const parallelism = parallelismOf(worker);
  const scheduler = worker.inner('scheduler');
  put('max_num_batched_tokens', scheduler.take('max_batched_tokens'));
  put('max_num_seqs', scheduler.take('max_sequences'));
  scheduler.close();
  const cache = worker.inner('kv_cache');
  put(backend === 'sglang' ? 'sglang.page_size' : 'block_size', cache.take('block_size'));
  put('enable_prefix_caching', cache.take('prefix_caching'));
  put('kv_bytes_per_token', cache.take('bytes_per_token'));
  const capacity = cache.inner('capacity');
  capacity.take('type');
  put(MEMORY[backend] ?? 'gpu_memory_utilization', capacity.take('memory_fraction'));
  put('num_gpu_blocks', capacity.take('blocks'));
  capacity.close();
  cache.close();
  const timing = worker.inner('timing');
  const type = timing.take('type');
  if (type !== undefined && type !== 'default') timing.note('type', `${String(type)} has no counterpart`);
  if (timing.has('forward_model') && timing.take('forward_model') !== 'op_level')
    timing.note('forward_model', 'only op_level has a counterpart');
  timing.close();
  put('startup_time', worker.take('startup_seconds'));
  worker.close();
  return { parallelism, settings };
}

/** The spreads that are listed; undefined where all that fit are asked for. */
function parallelismOf(worker: Taken): JsonValue | undefined {
  if (!worker.has('parallelism')) return undefined;
  const given = worker.inner('parallelism');
  const preset = given.take('preset');
  if (Array.isArray(preset)) {
    given.close();
    return preset.map((one) => spreadOf(one, given));
  }
  if (preset !== undefined && preset !== 'default' && preset !== false)
    given.note('preset', 'expected default or a list');
  const axes = SPREADS.map((name) => ({ name, values: valuesOf(given.take(name)) }));
  const pipeline = given.take('pipeline');
  if (pipeline instanceof JsonNumber && pipeline.value !== 1)
    given.note('pipeline', 'stages of a pipeline are not simulated');
  given.close();
  if (axes.every(({ values }) => values === undefined)) return undefined;
  let spreads: JsonObject[] = [new Map()];
  for (const { name, values } of axes)
    if (values)
      spreads = spreads.flatMap((spread) => values.map((value) => new Map([...spread, [name, value]])));
  return spreads;
}

/** One spread of a list, without what is not simulated. */
function spreadOf(value: JsonValue, given: Taken): JsonObject {
  const spread: JsonObject = new Map(value instanceof Map ? value : []);
  const pipeline = spread.get('pipeline');
  spread.delete('pipeline');
  if (pipeline instanceof JsonNumber && pipeline.value !== 1)
    given.note('preset', `a pipeline of ${pipeline.text} stages is not simulated`);
  return object(Object.fromEntries(spread));
}

/** The values of a number, of choices or of a range; undefined for what is left out. */
function valuesOf(value: JsonValue | undefined): readonly JsonValue[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof Map)) return [value];
  const choices = value.get('choices');
  if (Array.isArray(choices)) return choices;
  const range = value.get('range');
  if (!(range instanceof Map)) return undefined;
  const part = (name: string, missing: number) => {
    const given = range.get(name);
    return given instanceof JsonNumber ? given.value : missing;
  };
  const [min, max, step] = [part('min', 1), part('max', 1), part('step', 1)];
  return Array.from({ length: Math.floor((max - min) / step) + 1 }, (_, at) => numeric(min + at * step));
}
