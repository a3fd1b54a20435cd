import { InputError } from '../../config/input-error.js';
import type { ReasoningShape } from './output-ids.js';

const KEYS = ['start_thinking_token_id', 'end_thinking_token_id', 'thinking_ratio'];

/** Reads the shape of reasoning. @throws {InputError} naming what is wrong */
export function parseReasoning(text: string, where: string): ReasoningShape {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${where}: not valid JSON: ${(error as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new InputError(`${where}: expected an object with ${KEYS.join(', ')}`);
  const values = json as Record<string, unknown>;
  for (const name of Object.keys(values))
    if (!KEYS.includes(name))
      throw new InputError(`${where}: unknown field ${name}; known are ${KEYS.join(', ')}`);
  const [startId, endId] = KEYS.slice(0, 2).map((name) => {
    const value = values[name];
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffffffff)
      throw new InputError(`${where}: ${name}: must be a token id, found ${JSON.stringify(value)}`);
    return value as number;
  });
  const ratio = values.thinking_ratio;
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1))
    throw new InputError(`${where}: thinking_ratio: must be from 0 to 1, found ${JSON.stringify(ratio)}`);
  return { startId, endId, ratio };
}
