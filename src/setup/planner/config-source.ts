import { existsSync, readFileSync, statSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { InputError } from '../../config/input-error.js';
import { type JsonValue, parseJson } from '../../config/json.js';

/**
 * What `--planner-config` names: a file of YAML or JSON, told by its ending or by what it can be read as, or JSON itself.
 * @returns the JSON and its name in messages
 * @throws {InputError} with what cannot be read
 */
export function plannerJson(source: JsonValue, flag: string): { json: JsonValue; where: string } {
  if (typeof source !== 'string') return { json: source, where: flag };
  const isFile = existsSync(source) && statSync(source).isFile();
  if (!isFile) {
    try {
      return { json: parseJson(source), where: flag };
    } catch (error) {
      throw new InputError(`${flag}: neither a file nor JSON: ${(error as Error).message}`);
    }
  }
  const text = readFileSync(source, 'utf8');
  if (!/\.ya?ml$/.test(source)) {
    try {
      return { json: parseJson(text), where: source };
    } catch (error) {
      if (source.endsWith('.json')) throw new InputError(`${source}: ${(error as Error).message}`);
    }
  }
  try {
    return { json: parseJson(JSON.stringify(parse(text) ?? null)), where: source };
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new InputError(`${source}: ${error.message.split('\n')[0]}`);
  }
}
