import type { Mean, RankPass, Traffic } from '../planner.js';

/** The last pass of each rank of the active workers, in the order in which ranks were first seen. */
export class LastPasses {
  private readonly passes = new Map<string, RankPass>();

  update(news: readonly RankPass[], active: readonly number[]): void {
    for (const pass of news) this.passes.set(`${pass.worker}/${pass.rank}`, pass);
    const isActive = new Set(active);
    for (const [key, { worker }] of this.passes) if (!isActive.has(worker)) this.passes.delete(key);
  }

  all(): readonly RankPass[] {
    return [...this.passes.values()];
  }
}

/** Whether each of `workers` workers has told of the same number of ranks. */
export function coversAll(passes: readonly RankPass[], workers: number): boolean {
  const ranks = new Map<number, number>();
  for (const { worker } of passes) ranks.set(worker, (ranks.get(worker) ?? 0) + 1);
  return ranks.size === workers && new Set(ranks.values()).size <= 1;
}

/** Ranks of each pass together: one by one, or by worker where a pass is one of all ranks. Sorted by worker id as text. */
export function passGroups(passes: readonly RankPass[], byWorker: boolean): RankPass[][] {
  if (!byWorker) return [...passes].sort(byText).map((pass) => [pass]);
  const groups = new Map<number, RankPass[]>();
  for (const pass of passes) {
    const group = groups.get(pass.worker);
    if (group) group.push(pass);
    else groups.set(pass.worker, [pass]);
  }
  return [...groups.values()].map((group) => group.sort((a, b) => a.rank - b.rank));
}

function byText(a: RankPass, b: RankPass): number {
  const [left, right] = [String(a.worker), String(b.worker)];
  if (left !== right) return left < right ? -1 : 1;
  return a.rank - b.rank;
}

/** Two windows, one after the other, as one. */
export function joined(first: Traffic, second: Traffic): Traffic {
  return {
    seconds: first.seconds + second.seconds,
    requests: first.requests + second.requests,
    inputTokens: weightedMean(first.inputTokens, second.inputTokens),
    outputTokens: weightedMean(first.outputTokens, second.outputTokens),
    ttftMs: weightedMean(first.ttftMs, second.ttftMs),
    itlMs: weightedMean(first.itlMs, second.itlMs),
    hitRate: weightedMean(first.hitRate, second.hitRate),
    acceptLength: acceptLength(first, second),
    forwards: first.forwards + second.forwards,
  };
}

function weightedMean(a: Mean, b: Mean): Mean {
  const count = a.count + b.count;
  return { value: count > 0 ? (a.value * a.count + b.value * b.count) / count : 0, count };
}

function acceptLength(a: Traffic, b: Traffic): number | undefined {
  if (a.acceptLength === undefined || b.acceptLength === undefined) return a.acceptLength ?? b.acceptLength;
  const forwards = a.forwards + b.forwards;
  if (forwards === 0) return undefined;
  return (a.acceptLength * a.forwards + b.acceptLength * b.forwards) / forwards;
}
