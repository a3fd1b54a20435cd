import type { JsonValue } from '../config/json.js';
import { csvRows, type Fields, jsonElements } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

function request(line: number, inputTokens: number, outputTokens: number): TraceRequest {
  return { line, startMs: undefined, inputTokens, outputTokens, blocks: undefined, session: undefined };
}

/**
 * Detail files of the benchmarks of vLLM (`benchmark_serving`) and SGLang (`bench_serving`): `input_lens` and `output_lens`
 * of the requests, and `errors`, whose requests are left out. Only newer ones hold times of arrival, in seconds.
 */
export const bench: Importer = {
  *read(source, { leaveOut }) {
    for (const run of jsonElements(source))
      for (const row of benchRows(run, [], leaveOut))
        yield {
          ...request(run.line, row.tokens('input_lens'), row.tokens('output_lens')),
          ...(row.has('start_times') && { startMs: row.number('start_times') * 1000 }),
        };
  },
};

/** The requests of a benchmark that did not fail, with their place of each list. @param needed lists that must be there too */
export function* benchRows(
  run: Fields,
  needed: readonly string[],
  leaveOut?: (reason: string) => void,
): Generator<Fields> {
  const lists = [
    'input_lens',
    'output_lens',
    ...needed,
    ...(run.has('start_times') ? ['start_times'] : []),
  ].map((name) => [name, run.list(name)] as const);
  const [[, inputs], ...others] = lists;
  for (const [name, list] of others)
    if (list.length !== inputs.length)
      run.fail(name, `expected as many as input_lens (${inputs.length}), found ${list.length}`);
  const errors = run.has('errors') ? run.list('errors') : [];
  for (const index of inputs.keys())
    if (typeof errors[index] === 'string' && errors[index] !== '') leaveOut?.('failed');
    else
      yield run.with(
        new Map<string, JsonValue | undefined>(lists.map(([name, list]) => [name, list[index]])),
      );
}

/** Names under which tables have lengths, the commonest first. */
const INPUTS = ['input_length', 'input_tokens', 'prompt_tokens', 'prompt_len', 'num_prefill_tokens', 'isl'];
const OUTPUTS = [
  'output_length',
  'output_tokens',
  'completion_tokens',
  'output_len',
  'num_decode_tokens',
  'osl',
];

/** Tables (CSV) of lengths and nothing else that counts. */
export const lengths: Importer = {
  *read(source) {
    for (const row of csvRows(source, []))
      yield request(row.line, row.tokens(named(row, INPUTS)), row.tokens(named(row, OUTPUTS)));
  },
};

function named(row: Fields, names: readonly string[]): string {
  return (
    names.find((name) => row.has(name)) ?? row.fail(names[0], `missing; so are ${names.slice(1).join(', ')}`)
  );
}
