import type { JsonValue } from '../config/json.js';
import { csvRows, type Fields, jsonElements } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

function request(line: number, inputTokens: number, outputTokens: number): TraceRequest {
  return { line, startMs: undefined, inputTokens, outputTokens, blocks: undefined, session: undefined };
}

/**
 * Detail files of the benchmarks of vLLM (`benchmark_serving`) and SGLang (`bench_serving`): `input_lens` and `output_lens`
 * of the requests, and `errors`, whose requests are left out. They hold no times of arrival.
 */
export const bench: Importer = {
  *read(source, { leaveOut }) {
    for (const run of jsonElements(source)) {
      const inputs = run.list('input_lens');
      const outputs = run.list('output_lens');
      if (inputs.length !== outputs.length)
        run.fail('output_lens', `expected as many as input_lens (${inputs.length}), found ${outputs.length}`);
      const errors = run.has('errors') ? run.list('errors') : [];
      for (const index of inputs.keys()) {
        if (typeof errors[index] === 'string' && errors[index] !== '') {
          leaveOut?.('failed');
          continue;
        }
        const row = run.with(
          new Map<string, JsonValue | undefined>([
            ['input_lens', inputs[index]],
            ['output_lens', outputs[index]],
          ]),
        );
        yield request(run.line, row.tokens('input_lens'), row.tokens('output_lens'));
      }
    }
  },
};

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
