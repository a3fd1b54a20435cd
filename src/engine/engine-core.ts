import type { Destinations } from './destinations.js';
import type { EngineLoad } from './engine-load.js';
import type { Lockstep } from './lockstep.js';
import type { PassMeter } from './pass-meter.js';

/** A scheduler goes round in circles: requests take blocks from each other and none emits a token any more. */
export class StallError extends Error {
  override readonly name = 'StallError';
}

/**
 * One rank of a worker: a scheduler with its KV cache, advanced pass by pass by whoever owns the clock. Requests are
 * named by slot numbers; the owner fills the tables that belong to a slot before it hands the slot over.
 *
 * A pass happens in two steps, since the ranks of a worker end together: `execute` decides everything and returns the
 * engine's own end time, `settle` then notes tokens at the end time that holds.
 */
export interface EngineCore {
  /** Requests waiting or running. */
  readonly requestCount: number;
  /** Whether the last pass did anything at all. */
  readonly madeProgress: boolean;
  /** What happened to requests in the last settled passes, in order; the owner empties the list. */
  readonly signals: EngineSignal[];
  /** What it shares with the other ranks of its worker; undefined for nothing. */
  readonly lockstep: Lockstep | undefined;
  receive(slot: number): void;
  /**
   * Takes a request out, between passes, that waits or runs here.
   * @returns false for one whose blocks are on their way up from a lower tier: it can be taken out after a later pass
   */
  cancel(slot: number): boolean;
  /** Decides one pass that begins now. @returns its end in milliseconds */
  execute(nowMs: number): number;
  settle(endMs: number): void;
  /** Tells the router's index what the passes up to now stored and removed, where that becomes known at their end. */
  publishEvents(nowMs: number): void;
  /** Why the requests that are stuck cannot go on, one line each. */
  diagnose(): StuckRequest[];
  /** @throws when a conservation law is broken */
  check(): void;
}

/**
 * A core that foresees stretches of passes in which nothing happens but decoding. Nothing changes until `commit`, so an
 * owner that learns of an arrival meanwhile makes the stretch shorter.
 */
interface Foresight {
  /** Whether a request received now would have to be looked at before the planned stretch is over. */
  readonly wantsArrivals: boolean;
  /** When the last planned pass begins. */
  readonly lastStartMs: number;
  /**
   * Plans uneventful passes from `nowMs` on, up to the next request that ends, as far as they begin before `limitMs`.
   * @returns the end of the last one, or -1 when the next pass must be executed
   */
  plan(nowMs: number, limitMs: number): number;
  /** Leaves out planned passes that begin at `limitMs` or later. @returns the end of the last one left, or -1 */
  shorten(limitMs: number): number;
  /** Makes the planned passes happen that end by `untilMs`; the others stay planned. @returns how many happened */
  commit(untilMs: number): number;
}

/** A core in a fleet with prefill and decode workers. */
interface Handover {
  /** Requests that do not run here but hold blocks, or wait for some. */
  readonly keptCount: number;
  /** Requests that come with their prompt computed by a prefill worker. */
  readonly destinations: Destinations;
  /** Gives back what a request holds whose prompt a decode worker has taken over. */
  releaseHeld(slot: number): void;
}

/** What a core lets others see. */
interface Observed {
  /** Requests that do not run yet. */
  readonly waitingCount: number;
  /** What happened in its KV pool so far. */
  readonly cache: CacheUse;
  /** What it is doing and has done so far. */
  readonly load: EngineLoad;
  readonly meter: PassMeter;
  /** Leading prompt tokens of a request that are cached here. */
  cachedTokens(slot: number): number;
}

/** A core as a simulated fleet drives it. */
export interface FleetCore extends EngineCore, Foresight, Handover, Observed {}

/**
 * A request ended, was rejected, had its first token without ending, or is done on a prefill worker, which holds its
 * blocks until they are released.
 */
export interface EngineSignal {
  slot: number;
  kind: 'ended' | 'rejected' | 'firstToken' | 'held';
}

/** The KV pool of a rank in a run; with pages, blocks are pages. */
export interface CacheUse {
  blocks: number;
  /** In use now, and the most that were at once. */
  activeBlocks: number;
  peakBlocks: number;
  evictedBlocks: number;
}

export interface StuckRequest {
  slot: number;
  problem: string;
  remedy: string;
}
