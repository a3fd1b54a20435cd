import { BlockMint, BlockScope } from './blocks.js';
import { type Fields, jsonRows } from './fields.js';
import type { Importer } from './form.js';

/**
 * Graphs of agents, as a replay reads them: rows that wait for others, or, behind a header, rows of version 2. They are
 * passed on as they are.
 */
export const agenticMooncake: Importer = {
  isGraph: true,
  *read(source, { blockTokens }) {
    let header: Fields | undefined;
    let pending = '';
    const counter = { next: 0 };
    const scopes = new Map<string, BlockScope>();
    for (const row of jsonRows(source)) {
      if (!header && row.has('schema')) {
        header = row;
        pending = `${row.json}\n`;
        continue;
      }
      const hashTokens = header ? header.tokens('block_size') : undefined;
      const isLocal =
        header !== undefined && !(header.has('hash_id_scope') && header.text('hash_id_scope') === 'global');
      const play = isLocal ? row.text('play_id') : '';
      let scope = scopes.get(play);
      if (!scope) {
        scope = new BlockScope(isLocal, counter);
        scopes.set(play, scope);
      }
      const ids = row.blocks('hash_ids');
      const time = header ? 'not_before_ms' : row.has('created_time') ? 'created_time' : 'timestamp';
      yield {
        line: row.line,
        startMs: row.has(time) ? row.number(time) : undefined,
        inputTokens: row.has('input_length')
          ? row.tokens('input_length')
          : ids.length * (hashTokens ?? blockTokens),
        outputTokens: row.tokens('output_length'),
        blocks: ids.map((id) => scope.nameOf(id)),
        blockTokens: hashTokens,
        session: row.has('session_id') ? row.text('session_id') : undefined,
        id: row.text('request_id'),
        verbatim: `${pending}${row.json}`,
      };
      pending = '';
    }
  },
};

/** Mooncake rows whose turns list their new input only: prompts are all that was said before, and that. */
export const mooncakeDelta: Importer = {
  *read(source) {
    const saidTokens = new Map<string, number>();
    for (const row of jsonRows(source)) {
      const session = row.has('session_id') ? row.text('session_id') : undefined;
      const before = session === undefined ? 0 : (saidTokens.get(session) ?? 0);
      const inputTokens = before + row.tokens('input_length');
      const outputTokens = row.tokens('output_length');
      if (session !== undefined) saidTokens.set(session, inputTokens + outputTokens);
      yield {
        line: row.line,
        startMs: row.has('timestamp') ? row.number('timestamp') : undefined,
        ...(row.has('delay') && { delayMs: row.number('delay') }),
        inputTokens,
        outputTokens,
        blocks: undefined,
        session,
        verbatim: row.json,
      };
    }
  },
};

/** Sessions of Applied Compute: a prompt, then answers and the outputs of tools in turn; nothing says when they came. */
export const appliedCompute: Importer = {
  *read(source, { blockTokens }) {
    const mint = new BlockMint(blockTokens);
    for (const row of jsonRows(source)) {
      const session = `session-${row.line}`;
      const turns = row.tokens('num_turns');
      const at = (field: string, turn: number) => row.with(new Map([[field, row.list(field)[turn]]]));
      let inputTokens = row.tokens('input_prompt_length');
      let keptTokens = 0;
      let delayMs: number | undefined;
      for (let turn = 0; turn <= turns; turn++) {
        const isLast = turn === turns;
        const outputTokens = isLast
          ? row.tokens('final_assistant_response_length')
          : at('assistant_response_length', turn).tokens('assistant_response_length');
        yield {
          line: row.line,
          startMs: undefined,
          ...(delayMs !== undefined && { delayMs }),
          inputTokens,
          outputTokens,
          blocks: mint.grown(session, inputTokens, keptTokens),
          session,
        };
        if (isLast) continue;
        keptTokens = inputTokens + outputTokens;
        inputTokens = keptTokens + at('tool_call_output_length', turn).tokens('tool_call_output_length');
        delayMs = at('tool_call_latency', turn).number('tool_call_latency') * 1000;
      }
    }
  },
};
