import { type JsonObject, jsonText } from '../../config/json.js';
import type { Entry } from './ledger.js';
import type { StudyResult } from './study.js';
import { nameOf, sentences } from './words.js';

/** The whole answer of a study as JSON text: what was decided, and the ledger of every candidate. */
export function recommendationText(result: StudyResult): string {
  return `${JSON.stringify(recommendation(result), null, 1)}\n`;
}

function recommendation(result: StudyResult): object {
  const { spec, entries, front, ranking, winner, confirmation, sensitivity } = result;
  const ids = (list: readonly Entry[]) => list.map(({ id }) => id);
  const counts: Record<string, number> = {};
  for (const { status } of entries) counts[status] = (counts[status] ?? 0) + 1;
  return {
    targets: spec.targets,
    goals: Object.fromEntries(spec.goals.map(({ name, bound }) => [name, bound])),
    ...(spec.load && { load: spec.load }),
    algorithm: result.algorithm,
    is_complete: result.isComplete,
    seed: Number(spec.optimizer.seed),
    space: spec.space.parameters.map(({ name, options }) => ({
      name,
      options: options.length,
    })),
    base: plain(spec.base),
    answer: sentences(result),
    winner: winner?.id ?? null,
    front: ids(front),
    ranking: ids(ranking),
    counts,
    sensitivity: sensitivity.map(({ parameter, options }) => ({
      parameter,
      options: options.map(({ label, entry }) => ({ label, id: entry.id, values: entry.values })),
    })),
    ...(confirmation && {
      confirmation: {
        windows: confirmation.windows,
        contenders: confirmation.contenders.map(({ entry, ...numbers }) => ({ id: entry.id, ...numbers })),
        ...(confirmation.heldOut && {
          held_out: {
            status: confirmation.heldOut.status,
            reason: confirmation.heldOut.reason,
            values: confirmation.heldOut.values,
            metrics: confirmation.heldOut.metrics,
          },
        }),
      },
    }),
    ledger: entries.map((entry) => ledgerRow(entry, spec.targets)),
  };
}

/** An entry as a row: what was chosen, what came of it and why. */
function ledgerRow(entry: Entry, targets: readonly string[]): Record<string, unknown> {
  const { id, candidate, status, reason, gpus, values, violation, load, metrics, isEstimate } = entry;
  return {
    id,
    name: nameOf(entry),
    choice: candidate.labels,
    status,
    reason,
    is_estimate: isEstimate,
    gpus,
    targets: Object.fromEntries(targets.map((target, at) => [target, values[at] ?? null])),
    violation: Number.isFinite(violation) ? violation : null,
    ...(load !== undefined && { load }),
    settings: plain(settingsOf(entry)),
    metrics,
  };
}

/** The settings that the numbers of an entry are of. */
function settingsOf({ job, candidate }: Entry): JsonObject | string {
  return job ? job.settings : candidate.settings;
}

function plain(settings: JsonObject | string): unknown {
  return JSON.parse(typeof settings === 'string' ? settings : jsonText(settings));
}

/** The ledger as a table of numbers and words. */
export function ledgerRecords({
  entries,
  spec,
}: StudyResult): Record<string, string | number | boolean | null>[] {
  return entries.map(
    ({ id, candidate, status, reason, isEstimate, gpus, values, violation, load, metrics }) => ({
      id,
      ...candidate.labels,
      status,
      reason,
      is_estimate: isEstimate,
      gpus,
      ...Object.fromEntries(spec.targets.map((target, at) => [target, values[at] ?? null])),
      violation: Number.isFinite(violation) ? violation : null,
      ...(spec.load && { [spec.load.setting]: load ?? null }),
      ...metrics,
    }),
  );
}
