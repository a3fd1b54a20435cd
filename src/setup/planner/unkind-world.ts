import { readFileSync } from 'node:fs';
import { InputError } from '../../config/input-error.js';
import type { JsonValue } from '../../config/json.js';
import { Fate, type Outage, readDisturbances, readOutages } from '../../planner/world/disturbances.js';
import type { LostWorker } from '../../report/planner-outcome.js';
import type { Run } from '../../simulation/run.js';
import type { StartupTime } from '../../simulation/workers.js';
import { runName } from './fleet-view.js';
import type { PlannedFleet } from './planned-fleet.js';

interface Loss {
  readonly atMs: number;
  readonly stage: number;
  readonly worker: number;
  /** Until another one is ready in its place; undefined for its usual start-up. */
  readonly forMs: number | undefined;
}

const NEVER: Loss = { atMs: Number.POSITIVE_INFINITY, stage: 0, worker: 0, forMs: undefined };

/** What happens to the workers of a run beside what its planner asks for; nothing in a kind world. */
export class World {
  readonly lost: LostWorker[] = [];
  private readonly fate: Fate | undefined;
  private readonly outages: readonly Outage[];
  private nextOutage = 0;
  /** When each worker that is there will be lost, by stage and id. */
  private readonly ends: Map<number, number>[];

  /** @throws {InputError} when the disturbances, or the file of outages, are wrong */
  constructor(
    private readonly fleet: PlannedFleet,
    private readonly simulation: Run,
    described: JsonValue | undefined,
  ) {
    const disturbances = described === undefined ? undefined : readDisturbances(described, 'disturbances');
    this.fate = disturbances && new Fate(disturbances);
    this.outages = outagesOf(disturbances?.outages, fleet);
    this.ends = fleet.stages.map(() => new Map());
  }

  /** How long a new worker of a stage takes until it serves. */
  startupOf(stage: number): StartupTime {
    const { startupMs } = this.fleet.stages[stage];
    const { fate } = this;
    return fate ? (worker) => fate.startupMs(stage, worker, startupMs) : startupMs;
  }

  get bootFailures(): number {
    return this.fate?.bootFailures ?? 0;
  }

  get isKind(): boolean {
    return this.fate === undefined;
  }

  /** The next loss of a worker. */
  next(): Loss {
    if (this.isKind) return NEVER;
    this.meetWorkers();
    let next = NEVER;
    this.ends.forEach((ends, stage) => {
      for (const [worker, atMs] of ends)
        if (atMs < next.atMs) next = { atMs, stage, worker, forMs: undefined };
    });
    const outage = this.outages[this.nextOutage];
    if (!outage || outage.atMs > next.atMs) return next;
    const stage = this.fleet.stages.findIndex(({ name }) => name === outage.stage);
    return { ...outage, stage };
  }

  /** A worker is lost. Nothing happens where it is not there any more. */
  strike({ atMs, stage, worker, forMs }: Loss): void {
    this.ends[stage].set(worker, Number.POSITIVE_INFINITY);
    if (forMs !== undefined) this.nextOutage++;
    const { name } = this.fleet.stages[stage];
    const requests = this.simulation.lose(runName(name), worker, forMs ?? this.startupOf(stage));
    if (requests !== undefined) this.lost.push({ at_s: atMs / 1000, stage: name, worker, requests });
  }

  /** Learns of workers that have come or gone since. */
  private meetWorkers(): void {
    this.simulation.stages().forEach(({ workers }, stage) => {
      const ends = this.ends[stage];
      const present = new Set(workers.map(({ id }) => id));
      for (const id of ends.keys()) if (!present.has(id)) ends.delete(id);
      for (const id of present)
        if (!ends.has(id)) ends.set(id, this.simulation.nowMs + this.fate!.lifeMs(stage, id));
    });
  }
}

function outagesOf(path: string | undefined, { stages }: PlannedFleet): readonly Outage[] {
  if (path === undefined) return [];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`disturbances: outages: cannot read ${path} (${(error as Error).message})`);
  }
  return readOutages(
    text,
    path,
    stages.map(({ name }) => name),
  );
}
