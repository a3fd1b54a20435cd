import { BlockScope } from './blocks.js';
import { type Fields, jsonElements } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

/** A turn that was taken, and when it ended, in seconds; at its start where the trace does not say. */
interface Turn {
  id: string;
  startS: number;
  endS: number;
  isOver: boolean;
}

/** An agent so far: its turns, and subagents launched since the last that must end first. */
interface Chain {
  turns: Turn[];
  joins: Turn[];
}

const DEFAULT_BLOCK_TOKENS = 64;

/**
 * Coding agents with subagents, a trace a line (Weka, AgentX): a turn waits for the one before it and for subagents that
 * were not launched asynchronously; the gap to the last end among those is its delay.
 */
export const weka: Importer = {
  isGraph: true,
  *read(source) {
    const counter = { next: 0 };
    for (const trace of jsonElements(source)) {
      const blockTokens = trace.has('block_size') ? trace.tokens('block_size') : DEFAULT_BLOCK_TOKENS;
      const id = trace.text('id');
      const scope = new BlockScope(
        !trace.has('hash_id_scope') || trace.text('hash_id_scope') !== 'global',
        counter,
      );
      for (const request of readAgent(trace, id, scope, { turns: [], joins: [] }, 0))
        yield { ...request, blockTokens };
    }
  },
};

function* readAgent(
  agent: Fields,
  name: string,
  scope: BlockScope,
  chain: Chain,
  offsetS: number,
): Generator<TraceRequest> {
  let number = 0;
  for (const entry of agent.objects('requests')) {
    if (entry.text('type') === 'subagent') {
      const child: Chain = { turns: [...chain.turns], joins: [] };
      const launchS = offsetS + entry.number('t');
      const [first] = entry.objects('requests');
      // Some traces count the time of a subagent from its launch.
      const isRelative = first !== undefined && offsetS + first.number('t') < launchS;
      const from = isRelative ? launchS : offsetS;
      yield* readAgent(entry, `${name}/${entry.text('agent_id')}`, scope, child, from);
      const isAsync = entry.has('status') && entry.text('status') === 'async_launched';
      const own = child.turns.slice(chain.turns.length);
      if (!isAsync) chain.joins.push(...own.slice(-1), ...child.joins);
      continue;
    }
    const startS = offsetS + entry.number('t');
    const id = `${name}:${number++}`;
    const before = lastEnded(chain.turns, startS);
    const waits = [...new Set([...(before ? [before] : []), ...chain.joins])];
    const overlapped = underWay(chain.turns, startS);
    const isRoot = waits.length === 0 && !overlapped;
    yield {
      line: agent.line,
      startMs: isRoot ? startS * 1000 : undefined,
      inputTokens: entry.tokens('in'),
      outputTokens: entry.tokens('out'),
      blocks: entry.blocks('hash_ids').map((block) => scope.nameOf(block)),
      session: name,
      id,
      waitFor: waits.map((turn) => turn.id),
      delayMs: isRoot ? 0 : delayMs(entry, startS, waits),
      startsAfter: overlapped && { id: overlapped.id, delayMs: (startS - overlapped.startS) * 1000 },
    };
    const lasts = entry.has('api_time') ? entry.number('api_time') : undefined;
    chain.turns.push({ id, startS, endS: startS + (lasts ?? 0), isOver: lasts !== undefined });
    chain.joins = [];
  }
}

/** The turn that ended last of those that had ended by a time: turns that overlapped did not wait for each other. */
function lastEnded(turns: readonly Turn[], startS: number): Turn | undefined {
  let last: Turn | undefined;
  for (const turn of turns) if (turn.endS <= startS && !(last && last.endS > turn.endS)) last = turn;
  return last;
}

/** The turn that started last where it had not ended by a time, so that it is followed while it runs. */
function underWay(turns: readonly Turn[], startS: number): Turn | undefined {
  const last = turns.at(-1);
  return last?.isOver && last.endS > startS && last.startS <= startS ? last : undefined;
}

/** Time between the last end of what a turn waits for and the turn: as it says itself, or as recorded. */
function delayMs(entry: Fields, startS: number, waits: readonly Turn[]): number {
  if (entry.has('think_time')) return entry.number('think_time') * 1000;
  if (!waits.some(({ isOver }) => isOver)) return 0;
  return Math.max(0, startS - Math.max(...waits.map(({ endS }) => endS))) * 1000;
}
