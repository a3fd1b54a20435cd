import { existsSync } from 'node:fs';
import { AicError } from '../aic/aic-error.js';
import { openDatabase } from '../aic/database.js';
import { type OpTimes, PassEstimator, type Query } from '../aic/estimator.js';
import { isDescribed } from '../aic/model-files.js';
import type { OpListOptions } from '../aic/op-lists.js';
import { type AicQuestion, aicModel, type OpenTables, tableOptions } from '../aic/open.js';
import type { Leaf } from '../aic/ops.js';
import { listVersions } from '../aic/sources.js';
import { readSystem } from '../aic/system.js';
import { TableTimes } from '../aic/table-times.js';
import { isBelievable } from './doubts.js';
import { FormulaTimes } from './formula-times.js';
import { findGpu, type GpuSpec } from './gpus.js';
import { findModel } from './models.js';
import { knownShape } from './shapes.js';

/** An operation that its table has no row for, or none to believe, and what was used in its place. */
export interface Substitution {
  op: string;
  phase: 'prefill' | 'decode';
  /** `doubtful` where the row cannot be right, being far from what the data sheet allows. */
  reason: 'no row' | 'doubtful';
  /** `formula`, or the version whose table was used. */
  used: string;
  /** How often it was asked for; answers are remembered, so that passes of one shape ask once. */
  calls: number;
  /** Its part of all the time that was asked for. */
  share_of_time: number;
}

interface Tally {
  leaf: Leaf;
  reason: Substitution['reason'];
  used: string;
  calls: number;
  ms: number;
}

/** Modules of latent attention are made of parts that tables have, so that nothing is put in their place. */
const MADE_OF_PARTS = ['contextModule', 'generationModule'];

/**
 * Times of operations from tables, and where a table has no row from the table of another version of the same engine on
 * the same system, else by formula; so, too, where a row cannot be right. Rows of another GPU are never used.
 */
export class FilledTimes implements OpTimes {
  readonly source: string;
  private readonly tallies = new Map<string, Tally>();
  private totalMs = 0;
  private readonly otherTimes = new Map<string, TableTimes>();

  /** @param otherVersions of the tables, the best first, and how to open one */
  constructor(
    private readonly tables: OpTimes,
    private readonly otherVersions: readonly string[],
    private readonly open: (version: string) => TableTimes,
    private readonly formulas: OpTimes,
  ) {
    this.source = tables.source;
  }

  opMs(leaf: Leaf, query: Query): number {
    const collected = this.tables.opMs(leaf, query);
    if (Number.isNaN(collected) && MADE_OF_PARTS.includes(leaf.kind)) return collected;
    const byFormula = this.formulas.opMs(leaf, query);
    if (isBelievable(collected, byFormula)) {
      this.totalMs += collected * leaf.count;
      return collected;
    }
    const reason = Number.isNaN(collected) ? 'no row' : 'doubtful';
    for (const version of this.otherVersions) {
      const ms = this.times(version).opMs(leaf, query);
      if (isBelievable(ms, byFormula)) return this.note(leaf, reason, `version ${version}`, ms);
    }
    return this.note(leaf, reason, 'formula', byFormula);
  }

  private times(version: string): TableTimes {
    let times = this.otherTimes.get(version);
    if (!times) {
      times = this.open(version);
      this.otherTimes.set(version, times);
    }
    return times;
  }

  private note(leaf: Leaf, reason: Substitution['reason'], used: string, ms: number): number {
    const key = `${leaf.name} ${reason} ${used}`;
    const tally = this.tallies.get(key) ?? { leaf, reason, used, calls: 0, ms: 0 };
    this.tallies.set(key, tally);
    tally.calls++;
    tally.ms += ms * leaf.count;
    this.totalMs += ms * leaf.count;
    return ms;
  }

  substitutions(): Substitution[] {
    return [...this.tallies.values()].map(({ leaf, reason, used, calls, ms }) => ({
      op: leaf.name,
      phase: leaf.name.startsWith('context') ? 'prefill' : 'decode',
      reason,
      used,
      calls,
      share_of_time: this.totalMs > 0 ? ms / this.totalMs : 0,
    }));
  }
}

export interface FilledTables extends OpenTables {
  /** What tables did not have so far. */
  substitutions(): Substitution[];
}

/**
 * Tables of a question with their gaps filled; models may also be those that are known by name.
 * @throws {AicError} for what is not there at all, and for systems whose GPU no data sheet is known of
 */
export function openFilled(systemsFolder: string, question: AicQuestion): FilledTables {
  const { system, backend, version } = question;
  const { gpu, ...options } = filledOptions(systemsFolder, question);
  const open = (of: string) =>
    new TableTimes(openDatabase(systemsFolder, system, backend, of, options), options);
  const others = (listVersions(readSystem(systemsFolder, system))[backend] ?? []).filter(
    (of) => of !== version,
  );
  const tables = open(version);
  const times = new FilledTimes(tables, others, open, new FormulaTimes({ ...options, gpu }));
  return {
    options,
    tables,
    estimator: new PassEstimator(times, options),
    substitutions: () => times.substitutions(),
  };
}

/**
 * The model as the tables describe it, else as it is known by name, on the GPU of the system.
 * @throws {AicError} when there is neither, and for systems whose GPU no data sheet is known of
 */
export function filledOptions(
  systemsFolder: string,
  question: AicQuestion,
): OpListOptions & { gpu: GpuSpec } {
  const { system, modelPath, backend } = question;
  const gpu = findGpu(system);
  if (!gpu)
    throw new AicError(`aic_system: no data sheet of ${system} is known that could fill gaps of its tables`);
  if (!isKnownByNameAlone(systemsFolder, modelPath))
    return { ...aicModel(systemsFolder, question).options, gpu };
  const { model, formats } = findModel(modelPath, systemsFolder, backend);
  return { ...tableOptions(question, model, { ...formats, fmha: 'bfloat16' }), gpu };
}

/** Whether tables that are there do not describe a model, but its name tells its shape. */
export function isKnownByNameAlone(systemsFolder: string, model: string): boolean {
  return existsSync(systemsFolder) && !isDescribed(systemsFolder, model) && knownShape(model) !== undefined;
}
