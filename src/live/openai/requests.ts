import type { z } from 'zod';
import type { ChatMessage, TokenTexts } from '../text/tokenizer.js';
import type { Dialect } from './answer.js';
import { badRequest } from './api-error.js';
import { ChatDialect } from './chat.js';
import { CompletionDialect } from './completions.js';
import type { GenerationRequest } from './generation.js';
import { MessageDialect } from './messages.js';
import { ResponseDialect } from './responses.js';
import { chatSchema, completionSchema, messageSchema, readBody, responseSchema } from './schemas.js';
import { callOf, type ToolCall, type ToolDefinition } from './tool-call.js';

/** A request as it was asked through one interface. */
export interface Asked {
  request: GenerationRequest;
  dialect: Dialect;
  streams: boolean;
}

export type ReadRequest = (body: string, texts: TokenTexts) => Asked;

export function readChat(body: string, texts: TokenTexts): Asked {
  const asked = readBody(chatSchema, body);
  const tools = (asked.tools ?? []).map((tool) => definition(tool.function.name, tool.function.parameters));
  return {
    request: {
      ...sampling(asked),
      prompts: [texts.tokenizer.encodeChat(asked.messages)],
      n: asked.n ?? 1,
      maxTokens: asked.max_completion_tokens ?? asked.max_tokens ?? undefined,
      stop: asked.stop,
      topLogprobs: asked.logprobs ? (asked.top_logprobs ?? 0) : undefined,
      tool: chosenTool(tools, asked.tool_choice),
      tellsReasoning: true,
    },
    dialect: new ChatDialect(texts, asked.stream_options?.include_usage ?? false),
    streams: asked.stream ?? false,
  };
}

export function readCompletion(body: string, texts: TokenTexts): Asked {
  const asked = readBody(completionSchema, body);
  return {
    request: {
      ...sampling(asked),
      prompts: promptsOf(asked.prompt, texts),
      n: asked.n ?? 1,
      maxTokens: asked.max_tokens ?? undefined,
      stop: asked.stop,
      topLogprobs: asked.logprobs ?? undefined,
      tool: undefined,
      tellsReasoning: false,
    },
    dialect: new CompletionDialect(texts, asked.stream_options?.include_usage ?? false, asked.echo ?? false),
    streams: asked.stream ?? false,
  };
}

export function readResponse(body: string, texts: TokenTexts): Asked {
  const asked = readBody(responseSchema, body);
  const { input, instructions } = asked;
  const messages: ChatMessage[] =
    typeof input === 'string' ? [{ role: 'user', content: input }] : input.map(asMessage);
  if (instructions) messages.unshift({ role: 'system', content: instructions });
  const tools = (asked.tools ?? [])
    .filter(({ type, name }) => type === 'function' && name)
    .map(({ name, parameters }) => definition(name!, parameters));
  return {
    request: {
      ...sampling(asked),
      prompts: [texts.tokenizer.encodeChat(messages)],
      n: 1,
      maxTokens: asked.max_output_tokens ?? undefined,
      stop: [],
      topLogprobs: undefined,
      tool: chosenTool(tools, asked.tool_choice),
      tellsReasoning: true,
    },
    dialect: new ResponseDialect({
      instructions: instructions ?? null,
      max_output_tokens: asked.max_output_tokens ?? null,
      metadata: asked.metadata ?? {},
      temperature: asked.temperature ?? 1,
      top_p: asked.top_p ?? 1,
      tools: asked.tools ?? [],
      tool_choice: asked.tool_choice ?? 'auto',
    }),
    streams: asked.stream ?? false,
  };
}

export function readMessage(body: string, texts: TokenTexts): Asked {
  const asked = readBody(messageSchema, body);
  const messages: ChatMessage[] = asked.messages.map(asMessage);
  if (asked.system !== '') messages.unshift({ role: 'system', content: asked.system });
  const tools = (asked.tools ?? []).map(({ name, input_schema }) => definition(name, input_schema));
  return {
    request: {
      ...sampling(asked),
      prompts: [texts.tokenizer.encodeChat(messages)],
      n: 1,
      maxTokens: asked.max_tokens,
      stop: asked.stop_sequences,
      topLogprobs: undefined,
      tool: chosenTool(tools, asked.tool_choice),
      tellsReasoning: true,
    },
    dialect: new MessageDialect(),
    streams: asked.stream ?? false,
  };
}

function sampling(asked: {
  model: string;
  seed?: number | null | undefined;
  priority?: number | null | undefined;
}) {
  return { model: asked.model, seed: asked.seed ?? undefined, priority: asked.priority ?? 0 };
}

function asMessage({ role, content }: { role?: string | null | undefined; content: string }): ChatMessage {
  return { role: role ?? 'user', content };
}

function definition(name: string, parameters: unknown): ToolDefinition {
  return { name, parameters: (parameters ?? undefined) as Record<string, unknown> | undefined };
}

/** Prompts as text or ids. @throws {ApiError} 400 for none at all */
export function promptsOf(
  prompt: z.output<typeof completionSchema>['prompt'],
  { tokenizer }: TokenTexts,
): Uint32Array[] {
  const isIds = (value: unknown): value is number[] => Array.isArray(value) && typeof value[0] === 'number';
  const list = typeof prompt === 'string' || isIds(prompt) ? [prompt] : prompt;
  const prompts = list.map((one) =>
    typeof one === 'string' ? tokenizer.encode(one) : Uint32Array.from(one),
  );
  if (prompts.some(({ length }) => length === 0)) throw badRequest('a prompt must not be empty', 'prompt');
  return prompts;
}

/**
 * Which tool an answer calls: the one that is named, or the first where some tool must be called. Where the model may
 * choose, it answers in words.
 */
function chosenTool(tools: readonly ToolDefinition[], choice: unknown): ToolCall | undefined {
  if (choice === null || choice === undefined || choice === 'none' || choice === 'auto') return undefined;
  const {
    type,
    name,
    function: named,
  } = choice as { type?: string; name?: string; function?: { name: string } };
  if (type === 'auto' || type === 'none') return undefined;
  const wanted = name ?? named?.name;
  const tool = wanted === undefined ? tools[0] : tools.find((one) => one.name === wanted);
  if (!tool)
    throw badRequest(
      wanted === undefined ? 'a tool must be called and none is given' : `no such tool: ${wanted}`,
      'tool_choice',
    );
  return callOf(tool);
}
