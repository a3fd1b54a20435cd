import { describe, expect, it } from 'vitest';
import { WyRand } from '../random/wyrand.js';
import { type CostWeights, chooseTarget, targetCost } from './cost.js';
import { KvRouter } from './kv-router.js';
import { singleClass } from './policy.js';
import { PrefixIndex } from './prefix-index.js';
import { RoundRobin } from './round-robin.js';

const WEIGHTS: CostWeights = {
  overlapCredit: 1,
  hostCredit: 0.75,
  overlapCreditDecay: 0,
  prefillLoadScale: 1,
  activeRequestWeight: 0,
  tracksPrefill: true,
  temperature: 0,
};

describe('round robin', () => {
  it('takes workers in turn and the ranks of each in turn', () => {
    const placement = new RoundRobin(2);
    for (const target of [0, 1, 2, 3]) placement.addTarget(target);
    expect([0, 1, 2, 3, 4].map(() => placement.next())).toEqual([0, 2, 1, 3, 0]);
  });

  it('goes on from the same place when a worker leaves', () => {
    const placement = new RoundRobin(1);
    for (const target of [0, 1, 2]) placement.addTarget(target);
    for (let i = 0; i < 4; i++) placement.next();
    placement.drainTarget(2);
    expect(placement.next()).toBe(1);
  });
});

describe('choice among equals', () => {
  it.each([
    [2, '10111001010100011000'],
    [3, '12120200102020212122'],
    [4, '31230101231222201300'],
    [7, '3604245250635014331'],
  ])('%i targets: the picks of the seeded reference', (targets, expected) => {
    const random = new WyRand(0xd1a05eedn);
    const picks = [...expected].map(() => chooseTarget(Array<number>(targets).fill(7), 0, random));
    expect(picks.join('')).toBe(expected);
  });
});

describe('cost of a target', () => {
  const base = { blockTokens: 16, leastPrefillTokens: 0, requests: 0, hostBlocks: 0 };

  it('is that of the worked example', () => {
    expect(
      targetCost(WEIGHTS, {
        ...base,
        inputTokens: 120,
        prefillTokens: 160,
        overlapBlocks: 6,
        decodeBlocks: 11,
      }),
    ).toBe(22.5);
    expect(
      targetCost(WEIGHTS, {
        ...base,
        inputTokens: 150,
        prefillTokens: 24,
        overlapBlocks: 8,
        decodeBlocks: 12,
      }),
    ).toBe(14.875);
    expect(
      targetCost(WEIGHTS, { ...base, inputTokens: 64, prefillTokens: 0, overlapBlocks: 4, decodeBlocks: 6 }),
    ).toBe(6);
  });

  it('credits less overlap on a target with more prefill than others', () => {
    const weights = { ...WEIGHTS, overlapCreditDecay: 1.5 };
    const loaded = { ...base, inputTokens: 150, prefillTokens: 24, overlapBlocks: 8, decodeBlocks: 12 };
    expect(targetCost(weights, loaded)).toBe(16.34438775510204);
  });
});

describe('prefix index', () => {
  it('counts leading blocks that a target holds, for more targets than a word has bits', () => {
    const index = new PrefixIndex();
    index.stored(1, 5);
    index.growTo(40);
    for (const id of [5, 6, 7]) index.stored(39, id);
    for (const id of [5, 7]) index.stored(2, id);
    const overlaps = new Int32Array(40);
    index.match(Int32Array.of(5, 6, 7, 8), 4, overlaps);
    expect([overlaps[39], overlaps[2], overlaps[0]]).toEqual([3, 1, 0]);
    expect(overlaps[1]).toBe(1);
    index.forget(39);
    index.match(Int32Array.of(5, 6, 7, 8), 4, overlaps);
    expect([overlaps[39], overlaps[2]]).toEqual([0, 1]);
  });
});

describe('router queue', () => {
  const request = (slot: number, priority = 0) => ({
    slot,
    inputTokens: 160,
    priority,
    strictPriority: 0,
    policyClass: undefined,
  });
  const place = (router: KvRouter, routed: ReturnType<typeof request>, nowMs: number) =>
    router.place(routed, new Int32Array(0), 0, nowMs);
  const router = (policy: 'fcfs' | 'lcfs') => {
    const made = new KvRouter({
      weights: WEIGHTS,
      tracksBlocks: true,
      assumesReuse: true,
      listens: true,
      policy: singleClass(policy, 0),
      blockTokens: 16,
      maxBatchedTokens: 100,
      seed: 1n,
      estimator: undefined,
    });
    made.addTarget(0);
    made.addTarget(1);
    return made;
  };

  it('prefers the target whose host tier continues its cache, and counts what it does', () => {
    const kept = router('fcfs');
    const ids = Int32Array.of(5, 6, 7);
    const [first, second] = [0, 1].map((target) => kept.listenersOf(target)!);
    first.gpu.stored(5);
    second.gpu.stored(5);
    second.host.stored(6);
    // Target 0 has one of three blocks, target 1 one and, below it, another: 2.25 blocks of prefill against 3 - 1.
    const chosen = kept.place({ ...request(0), inputTokens: 48 }, ids, 3, 0);
    expect(chosen).toEqual({ slot: 0, target: 1, overlapTokens: 16, blocks: { overlap: 1, best: 1 } });
    second.host.removed(6);
    expect(kept.place({ ...request(1), inputTokens: 48 }, ids, 3, 0)?.target).toBe(0);
    expect(kept.place({ ...request(2), inputTokens: 48 }, ids, 3, 0)).toBeUndefined();
    expect(kept.use).toMatchObject({ placed: 2, inputTokens: 96, overlapTokens: 32, queued: 0 });
    kept.prefillCompleted(0, 30);
    expect(kept.use).toMatchObject({ placed: 3, queued: 1, queueMs: 30, maxQueueMs: 30 });
  });

  it('holds requests back while all targets are in prefill and lets them go in order', () => {
    const kept = router('fcfs');
    const targets = [0, 1].map((slot) => place(kept, request(slot), 0)!.target);
    expect(new Set(targets)).toEqual(new Set([0, 1]));
    expect([place(kept, request(2), 1), place(kept, request(3), 2), place(kept, request(4, 9), 3)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(kept.prefillCompleted(0, 9)).toEqual([
      { slot: 4, target: targets[0], overlapTokens: 0, blocks: { overlap: 0, best: 0 } },
    ]);
    expect(kept.ended(1, 9)).toEqual([
      { slot: 2, target: targets[1], overlapTokens: 0, blocks: { overlap: 0, best: 0 } },
    ]);
  });

  it('serves the last first under lcfs', () => {
    const kept = router('lcfs');
    for (let slot = 0; slot < 4; slot++) place(kept, request(slot), slot);
    expect(kept.prefillCompleted(0, 9).map(({ slot }) => slot)).toEqual([3]);
  });
});
