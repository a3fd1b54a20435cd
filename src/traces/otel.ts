import { type Fields, jsonElements } from './fields.js';
import type { Importer } from './form.js';

/** Spans of OpenTelemetry with the attributes `gen_ai.*`: exports in OTLP JSON, or a span an object. */
export const otel: Importer = {
  *read(source, { leaveOut }) {
    for (const entry of jsonElements(source))
      for (const span of spansOf(entry)) {
        const attributes = attributesOf(span);
        const input =
          attributes.get('gen_ai.usage.input_tokens') ?? attributes.get('gen_ai.usage.prompt_tokens');
        if (input === undefined) continue;
        const output =
          attributes.get('gen_ai.usage.output_tokens') ?? attributes.get('gen_ai.usage.completion_tokens');
        if (output === undefined) {
          leaveOut?.('without output tokens');
          continue;
        }
        yield {
          line: entry.line,
          startMs: span.number('startTimeUnixNano') / 1e6,
          endMs: span.has('endTimeUnixNano') ? span.number('endTimeUnixNano') / 1e6 : undefined,
          inputTokens: input.tokens('value'),
          outputTokens: output.tokens('value'),
          blocks: undefined,
          session: attributes.get('gen_ai.conversation.id')?.text('value'),
        };
      }
  },
};

function* spansOf(entry: Fields): Generator<Fields> {
  if (!entry.has('resourceSpans')) {
    yield entry;
    return;
  }
  for (const resource of entry.objects('resourceSpans'))
    for (const scope of resource.objects('scopeSpans')) yield* scope.objects('spans');
}

/** Attributes by name, each as a row with a `value`. */
function attributesOf(span: Fields): Map<string, Fields> {
  const found = new Map<string, Fields>();
  if (!span.has('attributes')) return found;
  for (const attribute of span.objects('attributes')) {
    const value = attribute.object('value');
    const [kind] = value.values.keys();
    found.set(attribute.text('key'), value.with(new Map([['value', value.values.get(kind)]])));
  }
  return found;
}
