import { InputError } from '../../config/input-error.js';
import { bestOf, type SweepRecord } from './ranking.js';
import type { RouterState, StateSpace } from './states.js';

const ROUNDS = 3;

/** Answers states with their records, in the order asked. */
export type EvaluateStates<State> = (states: readonly State[]) => Promise<SweepRecord[]>;

/**
 * The reference's search: parallelism, then worker counts, then routers, each list from the winner of the one before,
 * until a round ends where it began, three times at most. The winner of a list may be worse than what came before it, so
 * the answer is the best of all records and not where the walk ends.
 * @returns all records in the order in which their states were first visited
 */
export async function descend<State extends { router: RouterState }>(
  space: StateSpace<State>,
  firstRouter: RouterState,
  evaluate: EvaluateStates<State>,
): Promise<SweepRecord[]> {
  const visited = new Map<string, SweepRecord>();
  const keyOf = (state: State) => Object.values(space.columns(state)).join(',');

  async function best(states: readonly State[]): Promise<State> {
    const fresh = new Map<string, State>();
    for (const state of states) if (!visited.has(keyOf(state))) fresh.set(keyOf(state), state);
    const answers = await evaluate([...fresh.values()]);
    [...fresh.keys()].forEach((key, index) => {
      visited.set(key, answers[index]);
    });
    return states[bestOf(states.map((state) => visited.get(keyOf(state))!))];
  }

  let [incumbent] = space.parallelisms(firstRouter);
  if (incumbent === undefined) throw new InputError(space.noneFits);
  let router = firstRouter;
  for (let round = 0; round < ROUNDS; round++) {
    const start = keyOf(incumbent);
    incumbent = await best(space.parallelisms(router));
    incumbent = await best(space.workerCounts(incumbent));
    const routed = space.routers(incumbent);
    if (routed.length > 0) incumbent = await best(routed);
    router = incumbent.router;
    if (keyOf(incumbent) === start) break;
  }
  return [...visited.values()];
}
