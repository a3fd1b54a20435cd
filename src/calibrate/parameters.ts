import { NO_OVERHEADS, type Overheads, overheadsJson } from '../config/overheads.js';
import type { ReplayOptions, ReplayPlan } from '../config/replay-options.js';
import type { Work } from './pass-log.js';

/** What calibration may change of a run: times of overheads, speeds against the timing model, and cache size. */
export interface Settings {
  overheads: Overheads;
  /** Factors on the speed of prompts and of generation, and on the blocks of every KV pool. */
  prefillSpeed: number;
  decodeSpeed: number;
  kvBlocks: number;
}

/** Groups of settings that a user may ask to fit. */
export type Group = 'overheads' | 'timing' | 'kv';

/** What a parameter does to a time in which a request waited for a frontend and a worker made passes. */
type SlopeOf = (time: SpentTime, settings: Settings) => number;

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
  get(settings: Settings): number;
  set(settings: Settings, value: number): void;
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

export function unchanged(overheads: Overheads = NO_OVERHEADS): Settings {
  return { overheads: { ...overheads }, prefillSpeed: 1, decodeSpeed: 1, kvBlocks: 1 };
}

export function withParameters(
  base: Settings,
  parameters: readonly Parameter[],
  values: readonly number[],
): Settings {
  const settings = { ...base, overheads: { ...base.overheads } };
  parameters.forEach((parameter, index) => {
    parameter.set(settings, values[index]);
  });
  return settings;
}

/** The options of a run under some settings. @param blocks of the KV pool of each engine, unscaled */
export function optionsUnder(plan: ReplayPlan, blocks: readonly number[], settings: Settings): ReplayOptions {
  const { options, topology } = plan;
  const overheads = overheadsJson(settings.overheads);
  const scaled = (text: string | undefined, engine: number) => scaledEngine(text, blocks[engine], settings);
  return {
    ...options,
    ...(topology.kind === 'split'
      ? {
          prefillEngineArgs: scaled(options.prefillEngineArgs, 0),
          decodeEngineArgs: scaled(options.decodeEngineArgs, 1),
        }
      : { extraEngineArgs: scaled(options.extraEngineArgs, 0) }),
    ...(Object.keys(overheads).length > 0 || options.overheads !== undefined
      ? { overheads: JSON.stringify(overheads) }
      : {}),
  };
}

function scaledEngine(text: string | undefined, blocks: number, settings: Settings): string {
  const engine = JSON.parse(text ?? '{}') as Record<string, unknown>;
  const { prefillSpeed, decodeSpeed, kvBlocks } = settings;
  const scale = (key: string, by: number) => {
    if (by !== 1) engine[key] = ((engine[key] as number | undefined) ?? 1) * by;
  };
  scale('speedup_ratio', prefillSpeed);
  scale('decode_speedup_ratio', decodeSpeed / prefillSpeed);
  if (kvBlocks !== 1) engine.num_gpu_blocks = Math.max(1, Math.round(blocks * kvBlocks));
  return JSON.stringify(engine);
}
