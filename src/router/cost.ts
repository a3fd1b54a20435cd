import type { WyRand } from '../random/wyrand.js';

/** Weights of the cost of a target, in blocks (`scheduling/selector.rs` of the reference). */
export interface CostWeights {
  overlapCredit: number;
  /** Credit of a block that the target has below its GPU's cache. */
  hostCredit: number;
  overlapCreditDecay: number;
  prefillLoadScale: number;
  activeRequestWeight: number;
  tracksPrefill: boolean;
  temperature: number;
}

/** What the cost of a target depends on. */
export interface CostInput {
  blockTokens: number;
  inputTokens: number;
  /** Prompt tokens in prefill there, and the least of them over all targets. */
  prefillTokens: number;
  leastPrefillTokens: number;
  /** Leading blocks of the prompt cached there. */
  overlapBlocks: number;
  /** Blocks behind those that its host tier holds. */
  hostBlocks: number;
  /** Blocks in service there with this request. */
  decodeBlocks: number;
  requests: number;
}

/** Cost of a target in blocks; lower is better. Operations are in the reference's order. */
export function targetCost(weights: CostWeights, input: CostInput): number {
  const { blockTokens, inputTokens, prefillTokens, overlapBlocks } = input;
  const rawTokens = weights.tracksPrefill ? prefillTokens + inputTokens : 0;
  let decay = 1;
  if (weights.tracksPrefill && weights.overlapCreditDecay > 0) {
    const excess = Math.max(0, prefillTokens - input.leastPrefillTokens) / blockTokens;
    decay = 1 / (1 + weights.overlapCreditDecay * (excess / Math.ceil(inputTokens / blockTokens)));
  }
  const credit = weights.overlapCredit * decay * overlapBlocks + weights.hostCredit * input.hostBlocks;
  const prefill = Math.max(rawTokens / blockTokens - credit, 0);
  return (
    weights.prefillLoadScale * prefill + input.decodeBlocks + weights.activeRequestWeight * input.requests
  );
}

/** Index of the target to take: the cheapest, ties at random; with a temperature a sample of the softmax. */
export function chooseTarget(costs: readonly number[], temperature: number, random: WyRand): number {
  return temperature > 0 ? sample(costs, temperature, random) : cheapest(costs, random);
}

function cheapest(costs: readonly number[], random: WyRand): number {
  let best = 0;
  let equals = 1;
  for (let i = 1; i < costs.length; i++) {
    if (costs[i] < costs[best]) {
      best = i;
      equals = 1;
    } else if (costs[i] === costs[best]) {
      equals++;
      if (random.nextBelow(equals) === 0) best = i;
    }
  }
  return best;
}

function sample(costs: readonly number[], temperature: number, random: WyRand): number {
  const low = Math.min(...costs);
  const high = Math.max(...costs);
  let weights = costs.map(() => 1);
  if (low !== high) {
    const scale = -1 / ((high - low) * temperature);
    const shift = low * scale;
    weights = costs.map((cost) => Math.exp(cost * scale - shift));
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const draw = random.nextFloat();
  let cumulative = 0;
  for (let i = 0; i < weights.length; i++) {
    cumulative += weights[i] / total;
    if (draw <= cumulative) return i;
  }
  return weights.length - 1;
}
