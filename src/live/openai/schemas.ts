import { z } from 'zod';
import { ApiError, badRequest } from './api-error.js';

const MOST_STOPS = 16;
const MOST_CHOICES = 128;

const count = z.int().min(0);
const tokens = z.int().min(1);
const stop = z
  .union([z.string(), z.array(z.string()).max(MOST_STOPS)])
  .nullish()
  .transform((stops) => (typeof stops === 'string' ? [stops] : (stops ?? [])).filter((text) => text !== ''));
const streamOptions = z.object({ include_usage: z.boolean().nullish() }).nullish();
const number = z.number().nullish();

/** What all interfaces of OpenAI's kind take; settings of sampling are checked and change nothing. */
const common = {
  model: z.string(),
  stream: z.boolean().nullish(),
  temperature: number,
  top_p: number,
  seed: z.int().nullish(),
  priority: z.number().nullish(),
  user: z.string().nullish(),
};

const text = z.object({ type: z.enum(['text', 'input_text', 'output_text']), text: z.string() });
const part = z.union([
  text,
  z.looseObject({ type: z.string() }).transform(() => ({ type: 'other', text: '' })),
]);
/** The text of a message; parts that are no text count nothing. */
const content = z
  .union([z.string(), z.array(part)])
  .nullish()
  .transform((value) =>
    typeof value === 'string' ? value : (value ?? []).map((one) => ('text' in one ? one.text : '')).join(''),
  );
const message = z.looseObject({ role: z.string(), content });
const functionTool = z.object({
  type: z.literal('function'),
  function: z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()).nullish() }),
});
const toolChoice = z
  .union([
    z.enum(['none', 'auto', 'required', 'any']),
    z.object({ type: z.string(), function: z.object({ name: z.string() }) }),
    z.object({ type: z.string(), name: z.string() }),
    z.object({ type: z.string() }),
  ])
  .nullish();

export const chatSchema = z.object({
  ...common,
  messages: z.array(message).min(1),
  max_tokens: tokens.nullish(),
  max_completion_tokens: tokens.nullish(),
  n: tokens.max(MOST_CHOICES).nullish(),
  stop,
  stream_options: streamOptions,
  logprobs: z.boolean().nullish(),
  top_logprobs: count.max(20).nullish(),
  tools: z.array(functionTool).nullish(),
  tool_choice: toolChoice,
});

export const completionSchema = z.object({
  ...common,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(count).min(1),
    z.array(z.array(count).min(1)).min(1),
  ]),
  max_tokens: tokens.nullish(),
  n: tokens.max(MOST_CHOICES).nullish(),
  stop,
  stream_options: streamOptions,
  logprobs: count.max(20).nullish(),
  echo: z.boolean().nullish(),
});

export const responseSchema = z.object({
  ...common,
  input: z.union([z.string(), z.array(z.looseObject({ role: z.string().nullish(), content })).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: tokens.nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  tools: z
    .array(z.looseObject({ type: z.string(), name: z.string().nullish(), parameters: z.unknown() }))
    .nullish(),
  tool_choice: toolChoice,
});

export const messageSchema = z.object({
  model: z.string(),
  messages: z.array(message).min(1),
  system: content,
  max_tokens: tokens,
  stream: z.boolean().nullish(),
  stop_sequences: stop,
  temperature: number,
  top_p: number,
  tools: z
    .array(z.looseObject({ name: z.string(), input_schema: z.record(z.string(), z.unknown()).nullish() }))
    .nullish(),
  tool_choice: toolChoice,
});

export const embeddingSchema = z.object({
  model: z.string(),
  input: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(count).min(1),
    z.array(z.array(count).min(1)).min(1),
  ]),
  dimensions: tokens.max(8192).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
});

const workers = z.int().min(0).max(1024);
export const capacitySchema = z.strictObject({
  workers: workers.nullish(),
  prefill_workers: workers.nullish(),
  decode_workers: workers.nullish(),
});
export const loadAdapterSchema = z.object({ lora_name: z.string().min(1), lora_path: z.string() });
export const unloadAdapterSchema = z.object({ lora_name: z.string().min(1) });

/** Reads the body of a request. @throws {ApiError} 400 naming the field */
export function readBody<Schema extends z.ZodType>(schema: Schema, body: string): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message}`, undefined, 'invalid_json');
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue.path.map(String).join('.');
  throw new ApiError(400, field === '' ? issue.message : `${field}: ${issue.message}`, { param: field });
}
