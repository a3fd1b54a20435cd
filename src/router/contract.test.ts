import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEMANTICS } from '../config/rules.js';
import { ROUTERS } from '../setup/kinds.js';
import { fleetScenario } from '../setup/scenario.js';
import type { Placement, Router, RouterKind } from './router.js';

const RANKS = 2;
const MOST_WORKERS = 4;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      inputTokens: fc.integer({ min: 1, max: 400 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('token' as const), which: fc.nat(50) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('come' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), which: fc.nat(50) }) },
);

/** A pool around a router that holds it to what it promises. */
class RoutedFleet {
  readonly router: Router;
  readonly placed = new Map<number, number>();
  readonly held = new Set<number>();
  private readonly silent = new Set<number>();
  private readonly active: number[] = [];
  private readonly draining: number[] = [];
  private workers = 0;
  private requests = 0;
  nowMs = 0;

  constructor(kind: RouterKind, semantics: (typeof SEMANTICS)[number]) {
    // A threshold far below what one pass takes, so that requests are held back.
    const routerConfig = kind.isBlind ? undefined : JSON.stringify({ router_queue_threshold: 0.05 });
    const { router, rules } = fleetScenario({
      routerMode: kind.name as 'kv_router',
      routerConfig,
      numWorkers: 2,
      semantics,
    });
    this.router = kind.create(
      { kind, settings: router.settings, seed: 7n, estimator: undefined, eventLagMs: 0 },
      {
        stage: '',
        ranks: RANKS,
        blockTokens: 16,
        maxBatchedTokens: 2048,
        queuePolicy: undefined,
        rules,
        names: undefined,
      },
    );
    this.come();
    this.come();
  }

  come(): void {
    if (this.active.length === MOST_WORKERS) return;
    const worker = this.workers++;
    this.active.push(worker);
    for (const rank of ranksOf(worker)) this.router.addTarget(rank);
    this.take(this.router.topologySettled(this.nowMs));
  }

  drain(which: number): void {
    if (this.active.length < 2) return;
    const [worker] = this.active.splice(which % this.active.length, 1);
    this.draining.push(worker);
    for (const rank of ranksOf(worker)) this.router.drainTarget(rank);
    this.removeDrained();
    this.take(this.router.topologySettled(this.nowMs));
  }

  private removeDrained(): void {
    for (const worker of this.draining.splice(0)) {
      const isBusy = [...this.placed.values()].some((rank) => Math.floor(rank / RANKS) === worker);
      if (isBusy) this.draining.push(worker);
      else for (const rank of ranksOf(worker)) this.router.removeTarget(rank);
    }
  }

  place(inputTokens: number): void {
    const slot = this.requests++;
    const ids = Int32Array.from(
      { length: Math.floor(inputTokens / 16) },
      (_, block) => -1 - 1000 * slot - block,
    );
    this.held.add(slot);
    const request = { slot, inputTokens, priority: 0, strictPriority: 0, policyClass: undefined };
    const placement = this.router.place(request, ids, ids.length, this.nowMs);
    if (placement) this.take([placement]);
    else expect(this.router.heldRequests).toBe(this.held.size);
  }

  firstToken(which: number): void {
    const slots = [...this.silent];
    if (slots.length === 0) return;
    const slot = slots[which % slots.length];
    this.silent.delete(slot);
    this.take(this.router.prefillCompleted(slot, this.nowMs));
  }

  end(which: number): void {
    const slots = [...this.placed.keys()];
    if (slots.length === 0) return;
    const slot = slots[which % slots.length];
    if (this.silent.delete(slot)) this.take(this.router.prefillCompleted(slot, this.nowMs));
    this.placed.delete(slot);
    this.take(this.router.ended(slot, this.nowMs));
    this.removeDrained();
  }

  /** Requests leave the router: each once, for a target that takes requests. */
  private take(placements: readonly Placement[]): void {
    for (const { slot, target, overlapTokens } of placements) {
      expect(this.held.delete(slot)).toBe(true);
      expect(this.active).toContain(Math.floor(target / RANKS));
      expect(overlapTokens).toBe(0);
      this.placed.set(slot, target);
      this.silent.add(slot);
    }
    expect(this.router.heldRequests).toBe(this.held.size);
  }
}

function ranksOf(worker: number): number[] {
  return Array.from({ length: RANKS }, (_, rank) => worker * RANKS + rank);
}

const cases = ROUTERS.flatMap((kind) => SEMANTICS.map((semantics) => ({ name: kind.name, kind, semantics })));

describe.each(cases)('a router: $name as in $semantics', ({ kind, semantics }) => {
  it('gives every request to one target that takes requests, sooner or later', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const fleet = new RoutedFleet(kind, semantics);
        let placed = 0;
        for (const one of steps) {
          fleet.nowMs += 1.5;
          if (one.kind === 'place') {
            fleet.place(one.inputTokens);
            placed++;
          } else if (one.kind === 'token') fleet.firstToken(one.which);
          else if (one.kind === 'end') fleet.end(one.which);
          else if (one.kind === 'come') fleet.come();
          else fleet.drain(one.which);
        }
        while (fleet.placed.size > 0) fleet.end(0);
        expect(fleet.held.size).toBe(0);
        const { use } = fleet.router;
        if (use) expect(use.placed).toBe(placed);
      }),
    );
  });

  it('does the same when the same happens', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }), (prompts) => {
        const [one, other] = [0, 1].map(() => {
          const fleet = new RoutedFleet(kind, semantics);
          for (const inputTokens of prompts) fleet.place(inputTokens);
          return [...fleet.placed];
        });
        expect(one).toEqual(other);
      }),
    );
  });
});
