import { readFileSync } from 'node:fs';
import { InputError } from '../config/input-error.js';
import { type JsonValue, parseJson } from '../config/json.js';
import { type CheckResult, checkTranscript } from '../planner/check/check.js';
import { readTranscript } from '../planner/check/transcript.js';
import { systemsFolder } from '../setup/engines.js';
import { plannerTimes } from '../setup/planner/table-times.js';
import { writeOutputs } from './output.js';

const MOST_SHOWN = 10;

export interface CheckFlags {
  json?: string;
  force?: boolean;
  aicSystems?: string;
}

/** Decides the ticks of a transcript again and prints where the decisions differ. @throws {InputError} */
export async function runCheck(file: string, flags: CheckFlags): Promise<void> {
  const transcript = readTranscript(readJson(file), file);
  const { config, decode } = transcript;
  const draftTokens = decode.draftTokens || config.draftTokens;
  const result = checkTranscript(
    transcript,
    plannerTimes(config, draftTokens, systemsFolder(flags.aicSystems)),
  );
  if (flags.json !== undefined)
    await writeOutputs(new Map([[flags.json, [`${JSON.stringify(result)}\n`]]]), '--json', {
      force: flags.force === true,
      inputs: [file],
    });
  process.stdout.write(summary(result));
}

function readJson(file: string): JsonValue {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${file} (${(error as Error).message})`);
  }
  try {
    return parseJson(text);
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}`);
  }
}

function summary({ ticks, match_rate, differences }: CheckResult): string {
  const same = `${ticks.length - differences.length} of ${ticks.length} decisions are the same`;
  const lines = [`${same} (match rate ${match_rate.toFixed(4)})`];
  for (const { at_ms, recorded, ours } of differences.slice(0, MOST_SHOWN))
    lines.push(`  t=${(at_ms / 1000).toFixed(1)}s: recorded ${shown(recorded)}, ours ${shown(ours)}`);
  if (differences.length > MOST_SHOWN) lines.push(`  and ${differences.length - MOST_SHOWN} more`);
  return `${lines.join('\n')}\n`;
}

function shown({ prefill, decode }: { prefill: number | null; decode: number | null }): string {
  if (decode === null && prefill === null) return 'no change';
  return prefill === null || prefill === 0 ? `${decode} workers` : `${prefill} prefill + ${decode} decode`;
}
