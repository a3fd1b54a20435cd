import { type FieldRules, readFields } from '../../config/fields.js';
import { InputError } from '../../config/input-error.js';
import { describeJson, type JsonValue } from '../../config/json.js';
import { SeededRandom } from '../../random/std-rng.js';

/** How a fleet is worse than its description: workers that start late, do not start, or are lost. */
export interface Disturbances {
  readonly seed: bigint;
  /** Sigma of a log-normal distribution of start-up times, with the usual one as median. */
  readonly startupSpread: number;
  /** Part of all starts that fail when they should be ready, and are tried again. */
  readonly bootFailureRate: number;
  /** Losses of a worker in an hour of its life, at random. */
  readonly lossesPerWorkerHour: number;
  /** File of outages. */
  readonly outages: string | undefined;
}

const FIELDS = {
  seed: { type: 'u64' },
  startup_spread: { type: 'float', min: 0 },
  boot_failure_rate: { type: 'float', min: 0, max: 0.99 },
  losses_per_worker_hour: { type: 'float', min: 0 },
  outages: { type: 'string' },
} as const satisfies FieldRules;

/** @throws {InputError} naming the field */
export function readDisturbances(json: JsonValue, where: string): Disturbances {
  if (!(json instanceof Map))
    throw new InputError(`${where}: expected an object, found ${describeJson(json)}`);
  const values = readFields(json, FIELDS, where);
  return {
    seed: (values.seed as bigint | undefined) ?? 1n,
    startupSpread: (values.startup_spread as number | undefined) ?? 0,
    bootFailureRate: (values.boot_failure_rate as number | undefined) ?? 0,
    lossesPerWorkerHour: (values.losses_per_worker_hour as number | undefined) ?? 0,
    outages: values.outages as string | undefined,
  };
}

/** One worker that is lost for some time. */
export interface Outage {
  readonly atMs: number;
  readonly stage: string;
  readonly worker: number;
  /** How long until another one is ready in its place. */
  readonly forMs: number;
}

/**
 * Reads lines of `at,stage,worker,for`, times in seconds; a first line may name these columns, and lines that begin with # are passed
 * over.
 * @throws {InputError} naming file and line
 */
export function readOutages(text: string, path: string, stages: readonly string[]): Outage[] {
  const outages: Outage[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const isHead = index === 0 && /^\s*at\s*,/.test(line);
    if (line.trim() === '' || line.startsWith('#') || isHead) return;
    const where = `${path}:${index + 1}`;
    const cells = line.split(',').map((cell) => cell.trim());
    if (cells.length !== 4)
      throw new InputError(`${where}: expected at,stage,worker,for, found ${cells.length} values`);
    const [at, stage, worker, duration] = cells;
    if (!stages.includes(stage))
      throw new InputError(`${where}: stage: found "${stage}", allowed are ${stages.join(', ')}`);
    const number = (text: string, name: string) => {
      if (text !== '' && Number(text) >= 0 && Number.isFinite(Number(text))) return Number(text);
      throw new InputError(`${where}: ${name}: expected a number from 0, found "${text}"`);
    };
    const id = number(worker, 'worker');
    if (!Number.isInteger(id)) throw new InputError(`${where}: worker: expected a whole number, found ${id}`);
    outages.push({
      ...{ atMs: number(at, 'at') * 1000, stage, worker: id, forMs: number(duration, 'for') * 1000 },
    });
  });
  return outages.sort((a, b) => a.atMs - b.atMs);
}

const HOUR_MS = 3_600_000;

/** What fate has in store for each worker, whatever the policy: it follows from the seed, the stage and the worker's id. */
export class Fate {
  bootFailures = 0;

  constructor(private readonly settings: Disturbances) {}

  /** How long a new worker takes until it is ready, failed starts included. */
  startupMs(stage: number, worker: number, usualMs: number): number {
    const { startupSpread, bootFailureRate } = this.settings;
    const random = this.randomOf(stage, worker, 0n);
    let ms = 0;
    for (;;) {
      ms += usualMs * Math.exp(startupSpread * normal(random));
      if (!(random.nextFloat() < bootFailureRate)) return ms;
      this.bootFailures++;
    }
  }

  /** How long a worker lives; Infinity where none is lost at random. */
  lifeMs(stage: number, worker: number): number {
    const { lossesPerWorkerHour } = this.settings;
    if (lossesPerWorkerHour === 0) return Number.POSITIVE_INFINITY;
    return this.randomOf(stage, worker, 1n).nextExponential(HOUR_MS / lossesPerWorkerHour);
  }

  private randomOf(stage: number, worker: number, purpose: bigint): SeededRandom {
    const stream = (BigInt(worker) << 3n) | (BigInt(stage) << 1n) | purpose;
    return new SeededRandom(BigInt.asUintN(64, this.settings.seed + stream * 0x9e3779b97f4a7c15n));
  }
}

/** A number of the standard normal distribution (Box and Muller, 1958). */
function normal(random: SeededRandom): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.nextFloat()));
  return radius * Math.cos(2 * Math.PI * random.nextFloat());
}
