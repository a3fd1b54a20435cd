import { NO_OVERHEADS, type Overheads, overheadsJson } from '../config/overheads.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { withSettings } from '../setup/scenario.js';
import type { Work } from './pass-log.js';

/** What calibration may change of a run: times of overheads, speeds against the timing model, and cache size. */
export interface Adjustments {
  overheads: Overheads;
  /** Factors on the speed of prompts and of generation, and on the blocks of every KV pool. */
  prefillSpeed: number;
  decodeSpeed: number;
  kvBlocks: number;
}

/** Groups of settings that a user may ask to fit. */
export type Group = 'overheads' | 'timing' | 'kv';

/** What a parameter does to a time in which a request waited for a frontend and a worker made passes. */
type SlopeOf = (time: SpentTime, settings: Adjustments) => number;

/** A part of the latency of a request: the work of its worker meanwhile, and what else goes into it. */
export interface SpentTime extends Work {
  /** How much a later start delays the end: 1 where nothing is queued, towards 0 where the queue decides. */
  startsLate: number;
  inputTokens: number;
  /** 1 where the delivery of the first token is part of it, -1 where it comes out of it. */
  deliveries: number;
}

/** A number that is fitted: as it is, or its logarithm for factors. */
export interface Parameter {
  name: string;
  group: Group;
  least: number;
  /** Milliseconds that a time grows by for each unit. */
  slopeOf: SlopeOf;
  get(settings: Adjustments): number;
  set(settings: Adjustments, value: number): void;
}

const overhead = (name: keyof Overheads, slopeOf: SlopeOf): Parameter => ({
  name,
  group: 'overheads',
  least: 0,
  slopeOf,
  get: ({ overheads }) => overheads[name],
  set: (settings, value) => {
    settings.overheads[name] = value;
  },
});

const factor = (name: 'prefillSpeed' | 'decodeSpeed', slopeOf: SlopeOf): Parameter => ({
  name,
  group: 'timing',
  least: Math.log(0.02),
  slopeOf,
  get: (settings) => Math.log(settings[name]),
  set: (settings, value) => {
    settings[name] = Math.exp(value);
  },
});

export const PARAMETERS: readonly Parameter[] = [
  factor('prefillSpeed', ({ prefillMs }) => -prefillMs),
  factor('decodeSpeed', ({ decodeMs, passes, sequences }, { overheads }) =>
    Math.min(0, overheads.stepMs * passes + overheads.stepMsPerSequence * sequences - decodeMs),
  ),
  overhead('frontendMs', ({ startsLate }) => startsLate),
  overhead('tokenizeMsPerToken', ({ startsLate, inputTokens }) => startsLate * inputTokens),
  overhead('stepMs', ({ passes }) => passes),
  overhead('stepMsPerSequence', ({ sequences }) => sequences),
  overhead('firstTokenMs', ({ deliveries }) => deliveries),
];

export function unchanged(overheads: Overheads = NO_OVERHEADS): Adjustments {
  return { overheads: { ...overheads }, prefillSpeed: 1, decodeSpeed: 1, kvBlocks: 1 };
}

export function withParameters(
  base: Adjustments,
  parameters: readonly Parameter[],
  values: readonly number[],
): Adjustments {
  const settings = { ...base, overheads: { ...base.overheads } };
  parameters.forEach((parameter, index) => {
    parameter.set(settings, values[index]);
  });
  return settings;
}

/** A scenario under some settings. @param blocks of the KV pool of each engine, unscaled */
export function scenarioUnder(base: Scenario, blocks: readonly number[], settings: Adjustments): Scenario {
  const { prefillSpeed, decodeSpeed, kvBlocks } = settings;
  const changes: Record<string, unknown> = {};
  base.stages.forEach(({ name, engine }, index) => {
    const key = `${name === '' ? 'extra' : name}_engine_args`;
    const scale = (field: string, speed: number, by: number) => {
      if (by !== 1) changes[`${key}.${field}`] = speed * by;
    };
    scale('speedup_ratio', engine.speedup, prefillSpeed);
    scale('decode_speedup_ratio', engine.decodeSpeedup, decodeSpeed / prefillSpeed);
    if (kvBlocks !== 1) changes[`${key}.num_gpu_blocks`] = Math.max(1, Math.round(blocks[index] * kvBlocks));
  });
  const overheads = overheadsJson(settings.overheads);
  if (Object.keys(overheads).length > 0 || base.given.has('overheads')) changes.overheads = overheads;
  return withSettings(base, changes, 'fitted settings');
}
