import { InputError } from '../config/input-error.js';
import type { RequestOutcome } from '../report/outcome.js';
import type { Measured } from './measured.js';

/** A measured request and the row of the trace that it is. */
export interface Match {
  row: number;
  measured: Measured;
}

type KeyOf = (request: { inputTokens: number | undefined; outputTokens: number | undefined }) => string;

/** What tells requests apart, as far as it was measured: both lengths, the prompt's, or nothing but their order. */
const KEYS: KeyOf[] = [
  ({ inputTokens, outputTokens }) => `${inputTokens} ${outputTokens}`,
  ({ inputTokens }) => String(inputTokens),
];

/**
 * Finds which rows of a trace were measured. Requests of equal lengths are matched in order: of arrival where that was
 * measured, of rows otherwise.
 * @returns the matches by simulated arrival
 * @throws {InputError} when the measured requests are not those of the trace
 */
export function matchRequests(measured: readonly Measured[], records: readonly RequestOutcome[]): Match[] {
  if (measured.length !== records.length)
    throw new InputError(
      `${measured.length} requests were measured, the trace has ${records.length}; they must be the same (dynosim trace convert makes a trace of a measurement)`,
    );
  const hasArrivals = measured.every(({ arrivalMs }) => arrivalMs !== undefined);
  const simulated = hasArrivals ? [...records] : [...records].sort((a, b) => a.row - b.row);
  const hasLengths = measured.every(({ inputTokens }) => inputTokens !== undefined);
  const found = hasLengths ? matchByLength(measured, simulated) : measured;
  const matches = simulated.map(({ row, arrivalMs }, index) => ({ row, arrivalMs, measured: found[index] }));
  return matches.sort((a, b) => a.arrivalMs - b.arrivalMs || a.row - b.row);
}

/** @returns the measured request of each simulated one */
function matchByLength(measured: readonly Measured[], simulated: readonly RequestOutcome[]): Measured[] {
  for (const keyOf of KEYS) {
    const waiting = new Map<string, Measured[]>();
    for (const request of measured) {
      const key = keyOf(request);
      waiting.set(key, [...(waiting.get(key) ?? []), request]);
    }
    const found = simulated.map((record) => waiting.get(keyOf(record))?.shift());
    if (!found.includes(undefined)) return found as Measured[];
  }
  const lengths = new Set(simulated.map(({ inputTokens }) => inputTokens));
  const stranger = measured.find(({ inputTokens }) => !lengths.has(inputTokens!)) ?? measured[0];
  throw new InputError(
    `measured line ${stranger.line}: an input of ${stranger.inputTokens} tokens has no row of its own in the trace; measurement and trace must be of the same requests`,
  );
}
