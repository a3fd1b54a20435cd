import { BlockMint } from './blocks.js';
import { type Fields, jsonRows } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

/** A call of the model by a coding agent, put together from the lines that tell of it. */
interface Round {
  id: string;
  line: number;
  chain: string;
  startMs: number;
  endMs: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

/**
 * Session logs of Claude Code (`projects/*\/*.jsonl`): a round a message id, its prompt what was sent, written to the cache
 * and read from it. A round starts when the line before it was written and waits for the round before it; a side chain
 * waits for the round that launched it, and the round after that for the side chain.
 */
export const claudeCode: Importer = {
  isGraph: true,
  *read(source, { blockTokens }) {
    const rounds = new Map<string, Round>();
    const chainOf = new Map<string, string>();
    const writtenMs = new Map<string, number>();
    for (const row of jsonRows(source)) {
      if (!row.has('uuid') || !row.has('timestamp')) continue;
      const uuid = row.text('uuid');
      const parent = row.has('parentUuid') ? row.text('parentUuid') : undefined;
      const atMs = row.time('timestamp');
      writtenMs.set(uuid, atMs);
      const session = row.text('sessionId');
      const isSide = row.values.get('isSidechain') === true;
      const known = parent === undefined ? undefined : chainOf.get(parent);
      const chain = isSide ? (known?.startsWith(`${session}/`) ? known : `${session}/${uuid}`) : session;
      chainOf.set(uuid, chain);
      const usage = usageOf(row);
      if (!usage) continue;
      const id = row.object('message').text('id');
      const before = rounds.get(id);
      const startMs = before?.startMs ?? (parent === undefined ? atMs : (writtenMs.get(parent) ?? atMs));
      rounds.set(id, { ...usage, id, line: row.line, chain, startMs, endMs: atMs });
    }
    yield* linked([...rounds.values()], new BlockMint(blockTokens));
  },
};

function usageOf(row: Fields) {
  if (!row.has('type') || row.text('type') !== 'assistant') return undefined;
  const message = row.object('message');
  if (!message.has('id') || !message.has('usage')) return undefined;
  const usage = message.object('usage');
  const count = (field: string) => (usage.has(field) ? usage.tokens(field) : 0);
  const cachedTokens = count('cache_read_input_tokens');
  return {
    inputTokens: count('input_tokens') + count('cache_creation_input_tokens') + cachedTokens,
    cachedTokens,
    outputTokens: count('output_tokens'),
  };
}

/** Rounds as requests of a graph. */
function* linked(rounds: readonly Round[], mint: BlockMint): Generator<TraceRequest> {
  const last = new Map<string, Round>();
  const sides = new Map<string, Map<string, Round>>();
  for (const round of rounds.toSorted((a, b) => a.startMs - b.startMs)) {
    const { chain, startMs } = round;
    const main = chain.split('/')[0];
    const launcher = last.get(chain) ?? last.get(main);
    const joined =
      chain === main ? [...(sides.get(main)?.values() ?? [])].filter(({ endMs }) => endMs <= startMs) : [];
    const waits = [...(launcher ? [launcher] : []), ...joined];
    const endMs = Math.max(...waits.map((one) => one.endMs));
    yield {
      line: round.line,
      startMs: waits.length === 0 ? startMs : undefined,
      inputTokens: round.inputTokens,
      outputTokens: round.outputTokens,
      blocks: mint.grown(chain, round.inputTokens, round.cachedTokens),
      session: chain,
      id: round.id,
      waitFor: waits.map(({ id }) => id),
      delayMs: waits.length === 0 ? 0 : Math.max(0, startMs - endMs),
    };
    last.set(chain, round);
    if (chain === main) sides.delete(main);
    else sides.set(main, (sides.get(main) ?? new Map<string, Round>()).set(chain, round));
  }
}

/** Events of a Codex rollout that give the model something. */
const CODEX_INPUTS = new Set(['user_message', 'function_call_output', 'custom_tool_call_output']);

/** Rollouts of Codex: a round a `token_count` event; it starts with the last input before it. */
export const codex: Importer = {
  *read(source, { blockTokens }) {
    const mint = new BlockMint(blockTokens);
    let session = 'rollout';
    let inputMs: number | undefined;
    for (const row of jsonRows(source)) {
      if (!row.has('payload') || !row.has('timestamp')) continue;
      const payload = row.object('payload');
      const atMs = row.time('timestamp');
      if (row.has('type') && row.text('type') === 'session_meta' && payload.has('id'))
        session = payload.text('id');
      const kind = payload.has('type') ? payload.text('type') : '';
      if (CODEX_INPUTS.has(kind)) inputMs = atMs;
      if (kind !== 'token_count' || !payload.has('info')) continue;
      const info = payload.object('info');
      if (!info.has('last_token_usage')) continue;
      const usage = info.object('last_token_usage');
      const inputTokens = usage.tokens('input_tokens');
      const cached = usage.has('cached_input_tokens') ? usage.tokens('cached_input_tokens') : 0;
      yield {
        line: row.line,
        startMs: inputMs ?? atMs,
        endMs: atMs,
        inputTokens,
        outputTokens: usage.tokens('output_tokens'),
        blocks: mint.grown(session, inputTokens, cached),
        session,
      };
      inputMs = undefined;
    }
  },
};
