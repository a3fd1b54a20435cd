import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { InputError } from '../../config/input-error.js';
import type { Clock } from '../clock.js';
import type { LoadRequest, LoadSink, LoadTarget, Steps } from './target.js';

export interface HttpTargetOptions {
  /** Where `/v1/completions` is found, with or without the `/v1`. */
  url: string;
  model: string;
  apiKey: string | undefined;
  /** Time without a byte after which an answer counts as failed, in milliseconds. */
  idleMs: number;
}

const MOST_SOCKETS = 4096;

/**
 * Puts load on an endpoint of OpenAI's kind: prompts as token ids to `/v1/completions`, answers as streams, of the length
 * that the workload has where the endpoint knows `ignore_eos`.
 */
export class HttpTarget implements LoadTarget {
  private readonly agent: Agent;
  private readonly endpoint: URL;

  /** @throws {InputError} for what is no address */
  constructor(
    private readonly options: HttpTargetOptions,
    private readonly clock: Clock,
  ) {
    this.endpoint = endpointOf(options.url);
    const settings = { keepAlive: true, maxSockets: MOST_SOCKETS };
    this.agent = this.endpoint.protocol === 'https:' ? new TlsAgent(settings) : new Agent(settings);
  }

  send({ tokens, outputTokens }: LoadRequest, sink: LoadSink): void {
    const { clock, options, endpoint, agent } = this;
    const steps: Steps = { sentMs: Number.NaN, headersMs: Number.NaN, firstByteMs: Number.NaN };
    let isOver = false;
    const end = (status: 'completed' | 'rejected' | 'failed', usage?: Usage): void => {
      if (isOver) return;
      isOver = true;
      const reused = usage?.prompt_tokens_details?.cached_tokens ?? 0;
      sink.ended(status, clock.nowMs, steps, { firstReusedTokens: reused, reusedTokens: reused });
    };
    const open = endpoint.protocol === 'https:' ? httpsRequest : httpRequest;
    const call = open(endpoint, {
      method: 'POST',
      agent,
      timeout: options.idleMs,
      headers: {
        'content-type': 'application/json',
        ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
      },
    });
    call.on('finish', () => {
      steps.sentMs = clock.nowMs;
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => end('failed'));
    call.on('response', (response) => {
      steps.headersMs = clock.nowMs;
      if (response.statusCode !== 200) {
        response.resume();
        end(isRefusal(response) ? 'rejected' : 'failed');
        return;
      }
      readStream(response, {
        begun: () => {
          steps.firstByteMs = clock.nowMs;
        },
        tokens: (count) => {
          const atMs = clock.nowMs;
          for (let i = 0; i < count; i++) sink.token(atMs);
        },
        ended: (isWhole, usage) => end(isWhole ? 'completed' : 'failed', usage),
      });
    });
    call.end(
      JSON.stringify({
        model: options.model,
        prompt: [...tokens],
        max_tokens: outputTokens,
        min_tokens: outputTokens,
        ignore_eos: true,
        temperature: 0,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
  }

  async close(): Promise<void> {
    this.agent.destroy();
  }
}

interface Usage {
  completion_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number } | null;
}

interface StreamSink {
  begun(): void;
  tokens(count: number): void;
  ended(isWhole: boolean, usage: Usage | undefined): void;
}

/** Reads server-sent events of a completion; a frame with text is one token, whatever its length. */
function readStream(response: IncomingMessage, sink: StreamSink): void {
  let rest = '';
  let hasBegun = false;
  let isDone = false;
  let usage: Usage | undefined;
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    if (!hasBegun) sink.begun();
    hasBegun = true;
    const frames = (rest + text).split('\n\n');
    rest = frames.pop()!;
    let tokens = 0;
    for (const frame of frames) {
      const data = frame.replace(/^data: ?/, '');
      if (data === '[DONE]') isDone = true;
      else {
        const chunk = parse(data);
        usage = chunk?.usage ?? usage;
        if (chunk?.choices?.[0]?.text) tokens++;
      }
    }
    if (tokens > 0) sink.tokens(tokens);
  });
  response.on('end', () => sink.ended(isDone, usage));
  response.on('error', () => sink.ended(false, usage));
}

interface Chunk {
  usage?: Usage | null;
  choices?: { text?: string }[];
}

function parse(data: string): Chunk | undefined {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Whether an endpoint says that it takes no more. */
function isRefusal({ statusCode }: IncomingMessage): boolean {
  return statusCode === 429 || statusCode === 503 || statusCode === 529;
}

function endpointOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InputError(`--target: not an address: ${text}`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new InputError(`--target: expected http or https, found ${url.protocol.slice(0, -1)}`);
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  url.pathname = `${path}/v1/completions`;
  return url;
}
