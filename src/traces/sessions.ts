import { BlockMint } from './blocks.js';
import { type Fields, jsonElements, jsonRows } from './fields.js';
import type { Importer } from './form.js';

/** Names under which a request says how much may be generated. */
const OUTPUT_LIMITS = ['max_completion_tokens', 'max_tokens', 'min_tokens'];

/**
 * AIPerf's `inputs.json`: sessions of request bodies, a turn each. Lengths of prompts are characters over
 * `charactersPerToken`, those of outputs what the body allows. Nothing says when requests came: sessions start a second
 * apart, their turns at once.
 */
export const aiperfInputs: Importer = {
  *read(source, { blockTokens, charactersPerToken }) {
    const mint = new BlockMint(blockTokens);
    for (const entry of jsonElements(source, 'data')) {
      const session = entry.has('session_id') ? entry.text('session_id') : String(entry.line);
      let before = '';
      for (const body of entry.objects('payloads')) {
        const prompt = promptOf(body);
        const tokensIn = (characters: number) => Math.ceil(characters / charactersPerToken);
        const inputTokens = Math.max(1, tokensIn(prompt.length));
        const limit = OUTPUT_LIMITS.find((name) => body.has(name));
        const outputTokens =
          limit === undefined
            ? body.fail('max_completion_tokens', 'is missing, so that the output has no length')
            : body.tokens(limit);
        yield {
          line: entry.line,
          startMs: (entry.line - 1) * 1000,
          inputTokens,
          outputTokens,
          blocks: mint.grown(session, inputTokens, tokensIn(sharedLength(before, prompt))),
          session,
        };
        before = prompt;
      }
    }
  },
};

/** All text of a chat, or of a completion. */
function promptOf(body: Fields): string {
  if (body.has('prompt')) return body.text('prompt');
  return body
    .objects('messages')
    .map((message) =>
      typeof message.values.get('content') === 'string' ? message.text('content') : parts(message),
    )
    .join('\n');
}

/** The texts of a message that is made of parts. */
function parts(message: Fields): string {
  return message
    .objects('content')
    .map((part) => (part.has('text') ? part.text('text') : ''))
    .join('');
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Sessions of LLMServingSim, whose requests follow each other, each after the tool that the one before it called. */
export const llmservingsimSessions: Importer = {
  isGraph: true,
  *read(source) {
    for (const row of jsonRows(source)) {
      const session = row.text('session_id');
      let before: string | undefined;
      let delayMs = 0;
      for (const [index, request] of row.objects('sub_requests').entries()) {
        const id = `${session}:${index}`;
        yield {
          line: row.line,
          startMs: before === undefined ? row.number('arrival_time_ns') / 1e6 : undefined,
          inputTokens: request.tokens('input_toks'),
          outputTokens: request.tokens('output_toks'),
          blocks: undefined,
          session,
          id,
          waitFor: before === undefined ? [] : [before],
          delayMs,
        };
        before = id;
        delayMs = request.has('tool_duration_ns') ? request.number('tool_duration_ns') / 1e6 : 0;
      }
    }
  },
};
