import type { EngineModel, Queue } from './engine-model.js';
import { toNanoseconds } from './nanoseconds.js';

/** Requests of one shape, and the goals that they are served to. */
export interface CapacityQuestion {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ttftMs: number;
  readonly itlMs: number;
  /** Part of the prompt that is cached; `undefined` when unknown. */
  readonly hitRate: number | undefined;
  readonly acceptLength: number;
}

/** A batch size and what it gives. */
interface Point {
  readonly rps: number;
  readonly meetsGoals: boolean;
}

interface Shape {
  /** Prompt tokens that are not cached. */
  readonly prompt: number;
  /** Tokens of a request halfway through its answer. */
  readonly context: number;
  readonly output: number;
  readonly acceptLength: number;
  readonly ttftNs: number;
  readonly itlNs: number;
}

const MOST_CACHED = 0.95;
const MOST_CANDIDATES = 128;
const NS_PER_SECOND = 1e9;

/** Part of a prompt that must be computed. */
export function uncachedPart(hitRate: number | undefined): number {
  if (hitRate === undefined || Number.isNaN(hitRate)) return 1;
  return 1 - Math.min(Math.max(hitRate, 0), MOST_CACHED);
}

/** Requests a second that one worker serves at its best batch size; `undefined` when that cannot be told. */
export function capacityRps(model: EngineModel, question: CapacityQuestion): number | undefined {
  const { role, limits } = model;
  if (!(question.inputTokens > 0) || (role !== 'prefill' && !(question.outputTokens > 0))) return undefined;
  const shape = shapeOf(question);
  const { maxBatchedTokens, maxRequests, kvTokens } = limits;
  const byCache = Math.floor(kvTokens / shape.context);
  switch (role) {
    case 'prefill': {
      const byTokens = Math.min(maxRequests, Math.floor(maxBatchedTokens / shape.prompt));
      return best(shape.prompt > maxBatchedTokens ? 1 : byTokens, (batch) =>
        prefillPoint(model, shape, batch),
      );
    }
    case 'decode':
      return best(Math.min(maxRequests, byCache), (batch) => decodePoint(model, shape, batch));
    case 'aggregated':
      if (maxBatchedTokens <= 1) return undefined;
      return best(Math.min(maxRequests, byCache, maxBatchedTokens - 1), (batch) =>
        mixedPoint(model, shape, batch),
      );
  }
}

function shapeOf({
  inputTokens,
  outputTokens,
  ttftMs,
  itlMs,
  hitRate,
  acceptLength,
}: CapacityQuestion): Shape {
  const input = Math.ceil(inputTokens);
  const output = Math.max(1, Math.ceil(outputTokens));
  return {
    prompt: Math.max(1, Math.ceil(input * uncachedPart(hitRate))),
    context: Math.max(1, input + Math.floor(output / 2)),
    output,
    acceptLength: Math.max(1, acceptLength),
    ttftNs: toNanoseconds(ttftMs / 1000),
    itlNs: toNanoseconds(itlMs / 1000),
  };
}

/** The best of the batch sizes: one that meets the goals before one that does not, then the highest rate. */
function best(most: number, point: (batch: number) => Point | 'skip' | undefined): number | undefined {
  let found: Point | undefined;
  for (const batch of candidates(most)) {
    const next = point(batch);
    if (next === undefined) return undefined;
    if (next === 'skip') continue;
    const isBetter =
      !found || (next.meetsGoals === found.meetsGoals ? next.rps > found.rps : next.meetsGoals);
    if (isBetter) found = next;
  }
  return found?.rps;
}

function candidates(most: number): number[] {
  const count = Math.min(most, MOST_CANDIDATES);
  if (most <= MOST_CANDIDATES) return Array.from({ length: Math.max(count, 0) }, (_, i) => i + 1);
  return Array.from({ length: count }, (_, i) => 1 + Math.floor((i * (most - 1)) / (MOST_CANDIDATES - 1)));
}

function prefillPoint(model: EngineModel, shape: Shape, batch: number): Point | 'skip' | undefined {
  const ns = model.drainNs([queueOf(batch, shape.prompt * batch)]);
  if (ns === undefined) return undefined;
  return ns === 0 ? 'skip' : { rps: batch / (ns / NS_PER_SECOND), meetsGoals: ns <= shape.ttftNs };
}

function queueOf(requests: number, tokens: number, decodeRequests = 0, decodeTokens = 0): Queue {
  return { requests, tokens, decodeRequests, decodeTokens };
}

function decodePoint(model: EngineModel, shape: Shape, batch: number): Point | 'skip' | undefined {
  const work = {
    prefillRequests: 0,
    prefillTokens: 0,
    prefillCachedTokens: 0,
    decodeRequests: batch,
    decodeTokens: batch * shape.context,
  };
  const ns = model.passNs([work]);
  if (ns === undefined) return undefined;
  const itlNs = perToken(ns, shape.acceptLength);
  if (itlNs === 0) return 'skip';
  return { rps: rpsOf(batch, shape.output, itlNs), meetsGoals: itlNs <= shape.itlNs };
}

const perToken = (ns: number, acceptLength: number) => toNanoseconds(ns / NS_PER_SECOND / acceptLength);
const rpsOf = (batch: number, output: number, itlNs: number) => batch / (output * (itlNs / NS_PER_SECOND));

/** A steady state of an aggregated worker: while `batch` requests decode, as many prompts are computed as end. */
function mixedPoint(model: EngineModel, shape: Shape, batch: number): Point | 'skip' | undefined {
  const { maxBatchedTokens } = model.limits;
  const { prompt, context, output, acceptLength } = shape;
  const prefillTokens = Math.ceil((batch * acceptLength * prompt) / output);
  const room = maxBatchedTokens - batch;
  if (room <= 0 || prefillTokens > room) return 'skip';
  const tokens = Math.min(maxBatchedTokens, prefillTokens);
  const decodeTokens = batch * context;
  const work = {
    prefillRequests: 1,
    prefillTokens: tokens,
    prefillCachedTokens: 0,
    decodeRequests: batch,
    decodeTokens,
  };
  const ns = model.passNs([work]);
  if (ns === undefined) return undefined;
  const itlNs = perToken(ns, acceptLength);
  if (itlNs === 0) return 'skip';
  const ttftNs = model.drainNs([queueOf(1, tokens + prompt, batch, decodeTokens)]);
  if (ttftNs === undefined) return undefined;
  return {
    rps: rpsOf(batch, output, itlNs),
    meetsGoals: ttftNs <= shape.ttftNs && itlNs <= shape.itlNs,
  };
}
