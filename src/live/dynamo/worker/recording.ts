import { readFileSync } from 'node:fs';
import { InputError } from '../../../config/input-error.js';
import { decodeJson } from '../codec/json.js';
import { Fields } from '../codec/value.js';

/**
 * Reads recorded answers: JSONL rows with `output_token_ids`. A row is known by its `request_id`, else by its session and
 * turn, else by its line.
 * @throws {InputError} naming file and line
 */
export function readRecording(path: string): Map<string, Uint32Array> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`--response-replay-trace-path: ${(error as Error).message}`);
  }
  const answers = new Map<string, Uint32Array>();
  const turns = new Map<string, number>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      readRow(line, index, turns, answers);
    } catch (error) {
      throw new InputError(`${path}:${index + 1}: ${(error as Error).message}`);
    }
  }
  return answers;
}

function readRow(
  line: string,
  index: number,
  turns: Map<string, number>,
  answers: Map<string, Uint32Array>,
): void {
  const row = Fields.of(decodeJson(line), 'row');
  const session = row.optionalText('session_id');
  const turn = session === undefined ? 0 : (turns.get(session) ?? 0);
  if (session !== undefined) turns.set(session, turn + 1);
  if (row.get('output_token_ids') === undefined) return;
  const ids = row.u32List('output_token_ids');
  const length = row.optionalCount('output_length') ?? row.optionalCount('output_tokens');
  if (length !== ids.length)
    throw new InputError(`output_length is ${length ?? 'missing'}, output_token_ids are ${ids.length}`);
  const id = row.optionalText('request_id')?.trim();
  const key = id || (session === undefined ? `line:${index}` : `${session}:${turn}`);
  if (answers.has(key)) throw new InputError(`a second answer for ${key}`);
  answers.set(key, ids);
}
