import { aicTiming } from '../timing/aic/aic-timing.js';
import type { AicQuestion } from '../timing/aic/open.js';
import { openTables } from '../timing/aic/open.js';
import { leavesOf } from '../timing/aic/ops.js';
import { RememberedTiming } from '../timing/remembered.js';
import { doubts } from '../timing/roofline/doubts.js';
import { openFilled, type Substitution } from '../timing/roofline/filled.js';
import { FormulaTimes } from '../timing/roofline/formula-times.js';
import { findGpu } from '../timing/roofline/gpus.js';
import type { TimingModel } from '../timing/timing-model.js';

export interface TableTiming {
  timing: TimingModel;
  /** What was put in the place of rows that tables do not have, so far; undefined where they must have all. */
  substitutions: (() => Substitution[]) | undefined;
}

/**
 * Timing from AI Configurator tables. Tables that cannot be right are warned of.
 * @param fills whether what tables do not have is filled, rather than ending the run
 */
export function tableTiming(
  folder: string,
  question: AicQuestion & { isFused: boolean },
  fills: boolean,
  warnings: string[],
): TableTiming {
  const opened = fills
    ? openFilled(folder, question)
    : { ...openTables(folder, question), substitutions: undefined };
  const { estimator, tables, options, substitutions } = opened;
  const gpu = findGpu(question.system);
  if (gpu) {
    const formulas = new FormulaTimes({ ...options, gpu });
    const found = doubts(tables, formulas, estimator.operations.generation.flatMap(leavesOf));
    const { system, backend, version } = question;
    if (found.length > 0)
      warnings.push(`tables of ${backend} ${version} on ${system} are doubtful: ${found.join(', ')}`);
  }
  return { timing: new RememberedTiming(aicTiming(estimator, question.isFused)), substitutions };
}

/** One line about what was substituted. */
export function substitutionWarning(substitutions: readonly Substitution[]): string {
  const share = substitutions.reduce((sum, { share_of_time }) => sum + share_of_time, 0);
  const names = [...new Set(substitutions.map(({ op, used }) => `${op} (${used})`))];
  return `tables lack rows: ${(100 * share).toFixed(0)} % of pass time is from elsewhere: ${names.join(', ')}; --strict-timing refuses instead`;
}
