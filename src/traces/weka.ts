import { type Fields, jsonRows } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

/** Numbers for blocks whose identities hold within one trace only. */
class Scope {
  private readonly numbers = new Map<string, string>();

  constructor(
    private readonly isLocal: boolean,
    private readonly counter: { next: number },
  ) {}

  nameOf(block: string): string {
    if (!this.isLocal) return block;
    let number = this.numbers.get(block);
    if (number === undefined) {
      number = String(this.counter.next++);
      this.numbers.set(block, number);
    }
    return number;
  }
}

/** An agent so far: its last turn, subagents launched since that must end first, and when that turn ended, in seconds. */
interface Chain {
  last: string[];
  joins: string[];
  endS: number | undefined;
}

/**
 * Coding agents with subagents, a trace a line (Weka, AgentX): a turn waits for the one before it and for subagents that
 * were not launched asynchronously; the gap to the end of the turn before it is its delay.
 */
export const weka: Importer = {
  blockTokens: 64,
  isGraph: true,
  *read(source) {
    const counter = { next: 0 };
    for (const trace of jsonRows(source)) {
      const id = trace.text('id');
      const scope = new Scope(
        !trace.has('hash_id_scope') || trace.text('hash_id_scope') !== 'global',
        counter,
      );
      yield* readAgent(trace, id, scope, { last: [], joins: [], endS: undefined });
    }
  },
};

function* readAgent(agent: Fields, name: string, scope: Scope, chain: Chain): Generator<TraceRequest> {
  let number = 0;
  for (const entry of agent.objects('requests')) {
    if (entry.text('type') === 'subagent') {
      const child: Chain = { last: chain.last, joins: [], endS: chain.endS };
      yield* readAgent(entry, `${name}/${entry.text('agent_id')}`, scope, child);
      const isAsync = entry.has('status') && entry.text('status') === 'async_launched';
      if (!isAsync) chain.joins.push(...child.last, ...child.joins);
      continue;
    }
    const startS = entry.number('t');
    const id = `${name}:${number++}`;
    const waitFor = [...new Set([...chain.last, ...chain.joins])];
    const isRoot = waitFor.length === 0;
    yield {
      line: agent.line,
      startMs: isRoot ? startS * 1000 : undefined,
      inputTokens: entry.tokens('in'),
      outputTokens: entry.tokens('out'),
      blocks: entry.blocks('hash_ids').map((block) => scope.nameOf(block)),
      session: name,
      id,
      waitFor,
      delayMs: isRoot ? 0 : delayMs(entry, startS, chain.endS),
    };
    chain.last = [id];
    chain.joins = [];
    chain.endS = entry.has('api_time') ? startS + entry.number('api_time') : undefined;
  }
}

/** Time between the end of the turn before and a turn: as recorded, or as it says itself. */
function delayMs(entry: Fields, startS: number, endS: number | undefined): number {
  if (entry.has('think_time')) return entry.number('think_time') * 1000;
  return endS === undefined ? 0 : Math.max(0, (startS - endS) * 1000);
}
