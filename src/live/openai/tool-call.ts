/** A call that a model makes up: its arguments are what the schema requires, with generated text in the first string. */
export interface ToolCall {
  name: string;
  /** Arguments in front of the generated text, and behind it. */
  opening: string;
  closing: string;
}

export interface ToolDefinition {
  name: string;
  parameters: Record<string, unknown> | undefined;
}

interface Schema {
  type?: unknown;
  properties?: Record<string, Schema>;
  required?: unknown;
  enum?: unknown;
  const?: unknown;
}

const PLACE = '\u0000';
const DEEPEST = 16;

/** Makes up the call of a tool. */
export function callOf({ name, parameters }: ToolDefinition): ToolCall {
  const schema = (parameters ?? {}) as Schema;
  const state = { isPlaced: false };
  const value = valueFor({ ...schema, type: 'object' }, state, 0) as Record<string, unknown>;
  if (!state.isPlaced) value.text = PLACE;
  const [opening, closing] = JSON.stringify(value).split(JSON.stringify(PLACE).slice(1, -1));
  return { name, opening, closing };
}

function valueFor(schema: Schema, state: { isPlaced: boolean }, depth: number): unknown {
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'integer':
    case 'number':
      return 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return [];
    case 'object':
      return objectOf(schema, state, depth);
    default:
      if (state.isPlaced) return '';
      state.isPlaced = true;
      return PLACE;
  }
}

function objectOf(schema: Schema, state: { isPlaced: boolean }, depth: number): Record<string, unknown> {
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const entries = depth < DEEPEST ? required : [];
  return Object.fromEntries(
    entries.map((name) => [name, valueFor(schema.properties?.[name] ?? {}, state, depth + 1)]),
  );
}
