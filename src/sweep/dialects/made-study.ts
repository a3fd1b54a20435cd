import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';

/** A study that was made of another program's input, as JSON, and what of it has no counterpart here. */
export interface MadeStudy {
  study: JsonObject;
  /** A sentence each, with the name of the field. */
  unmapped: string[];
}

/** An object of what is given: undefined members are left out. */
export function object(members: Record<string, JsonValue | undefined>): JsonObject {
  return new Map(
    Object.entries(members).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );
}

export function numeric(value: number): JsonNumber {
  return new JsonNumber(String(value));
}
