import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Answering } from './answering.js';
import { ApiError } from './api-error.js';
import { type Capacity, capacityOf, setCapacity } from './capacity.js';
import { embed } from './embeddings.js';
import { FAULT_HEADER, type FaultSet, type Faults } from './faults.js';
import type { FleetFeed } from './fleet-feed.js';
import type { KvEventPlace } from './kv-event-ports.js';
import { anthropicError } from './messages.js';
import type { ServedModel } from './model.js';
import { type ReadRequest, readChat, readCompletion, readMessage, readResponse } from './requests.js';
import { capacitySchema, loadAdapterSchema, readBody, unloadAdapterSchema } from './schemas.js';

export interface AppParts {
  answering: Answering;
  model: ServedModel;
  /** The fleet, to look at and to scale, with its adapters; undefined where others see to that. */
  capacity: Capacity | undefined;
  /** Where what its workers cache is told. */
  kvEventPlaces(): readonly KvEventPlace[];
  /** Tells pages what the fleet does, where there is one to look at. */
  feed: FleetFeed | undefined;
  nowSeconds(): number;
  faults: Faults;
  mostBodyBytes: number;
  /** Refuses a request while the fleet takes no more. @throws {ApiError} */
  admit(): void;
  /** Counts an answer by interface and status. */
  answered(endpoint: string, status: number): void;
  /** Whether the fleet takes requests. */
  isReady(): boolean;
  metrics(): Promise<{ type: string; text: string }>;
}

type Env = { Bindings: HttpBindings };
type Exchange = Context<Env>;

/** The routes of the server. */
export function createApp(parts: AppParts): Hono<Env> {
  const app = new Hono<Env>();
  app.use(
    '*',
    bodyLimit({
      maxSize: parts.mostBodyBytes,
      onError: () => {
        throw new ApiError(413, `the body is larger than ${parts.mostBodyBytes} bytes`, {
          code: 'body_too_large',
        });
      },
    }),
  );
  app.onError((error, c) => refuse(c, error));
  app.notFound((c) => refuse(c, new ApiError(404, `no such path: ${c.req.method} ${c.req.path}`)));
  addModelRoutes(app, parts);
  if (parts.feed) addPageRoutes(app, parts.feed);
  if (parts.capacity) addControlRoutes(app, parts, parts.capacity);
  const generating: [string, ReadRequest][] = [
    ['/v1/chat/completions', readChat],
    ['/v1/completions', readCompletion],
    ['/v1/responses', readResponse],
    ['/v1/messages', readMessage],
  ];
  for (const [path, read] of generating) app.post(path, (c) => generate(c, parts, read));
  app.post('/v1/embeddings', async (c) => {
    parts.admit();
    await delay(parts.faults.of(c.req.header(FAULT_HEADER)));
    return counted(c, parts, c.json(embed(await c.req.text(), parts.model)));
  });
  return app;
}

function addModelRoutes(app: Hono<Env>, { model, isReady, metrics }: AppParts): void {
  app.get('/v1/models', (c) => c.json({ object: 'list', data: model.list() }));
  app.get('/v1/models/:id{.+}', (c) => {
    const id = c.req.param('id');
    model.check(id);
    return c.json(model.list().find((entry) => (entry as { id: string }).id === id)!);
  });
  app.get('/health', (c) =>
    isReady() ? c.json({ status: 'healthy' }) : c.json({ status: 'draining' }, 503),
  );
  app.get('/live', (c) => c.json({ status: 'live', message: 'Service is live' }));
  app.get('/metrics', async (c) => {
    const { type, text } = await metrics();
    return c.body(text, 200, { 'content-type': type });
  });
}

function addPageRoutes(app: Hono<Env>, feed: FleetFeed): void {
  let page: string | undefined;
  app.get('/', async (c) => {
    page ??= (await import('../../report/page.js')).livePage();
    return c.html(page);
  });
  app.get('/control/events', (c) => {
    feed.listen(c.env.outgoing);
    return RESPONSE_ALREADY_SENT;
  });
}

function addControlRoutes(
  app: Hono<Env>,
  { model, nowSeconds, kvEventPlaces }: AppParts,
  capacity: Capacity,
): void {
  app.get('/control/kv-events', (c) => c.json({ publishers: kvEventPlaces() }));
  app.get('/control/capacity', (c) => c.json(capacityOf(capacity)));
  app.post('/control/capacity', async (c) => {
    const asked = readBody(capacitySchema, await c.req.text());
    setCapacity(capacity, asked);
    return c.json(capacityOf(capacity));
  });
  app.post('/v1/load_lora_adapter', async (c) => {
    const { lora_name, lora_path } = readBody(loadAdapterSchema, await c.req.text());
    model.loadAdapter(lora_name, lora_path, nowSeconds());
    return c.text(`Success: LoRA adapter '${lora_name}' added successfully.`);
  });
  app.post('/v1/unload_lora_adapter', async (c) => {
    const { lora_name } = readBody(unloadAdapterSchema, await c.req.text());
    model.unloadAdapter(lora_name);
    return c.text(`Success: LoRA adapter '${lora_name}' removed successfully.`);
  });
}

/** Answers a request for text, whole or as a stream. */
async function generate(c: Exchange, parts: AppParts, read: ReadRequest): Promise<Response> {
  const faults = parts.faults.of(c.req.header(FAULT_HEADER));
  const body = await c.req.text();
  const asked = read(body, parts.model.texts);
  parts.model.check(asked.request.model);
  parts.admit();
  await delay(faults);
  faults.refuse();
  const { outgoing } = c.env;
  if (faults.find('error-200')) {
    const error = new ApiError(500, 'the server had an error (injected)', { code: 'injected' });
    return counted(c, parts, c.json(error.toJSON(), 200));
  }
  if (asked.streams) {
    parts.answering.stream(asked, faults, outgoing, {});
    parts.answered(c.req.path, 200);
    return RESPONSE_ALREADY_SENT;
  }
  const whole = await parts.answering.whole(asked, faults, (gone) =>
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) gone();
    }),
  );
  if (faults.breaking) return breakWhole(c, parts, JSON.stringify(whole), faults);
  return counted(c, parts, c.json(whole));
}

/** Breaks an answer that is told as a whole in the middle of its body. */
function breakWhole(
  { env, req }: Exchange,
  { answered }: AppParts,
  body: string,
  faults: FaultSet,
): Response {
  const { outgoing } = env;
  const { kind, ms } = faults.breaking!;
  const bytes = Buffer.from(body);
  outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
  outgoing.write(bytes.subarray(0, bytes.length >> 1), () => {
    if (kind === 'stall') setTimeout(() => outgoing.destroy(), ms).unref();
    else if (kind === 'reset') outgoing.socket?.resetAndDestroy();
    else outgoing.destroy();
  });
  answered(req.path, 200);
  return RESPONSE_ALREADY_SENT;
}

function delay(faults: FaultSet): Promise<void> {
  const latency = faults.find('latency');
  return latency ? new Promise((resolve) => setTimeout(resolve, latency.ms)) : Promise.resolve();
}

function counted(c: Exchange, { answered }: AppParts, response: Response): Response {
  answered(c.req.path, response.status);
  return response;
}

function refuse(c: Exchange, error: Error): Response {
  const known = error instanceof ApiError ? error : new ApiError(500, `internal error: ${error.message}`);
  const body = known.toJSON();
  const isAnthropic = c.req.path === '/v1/messages';
  for (const [name, value] of Object.entries(known.detail.headers ?? {})) c.header(name, value);
  return c.json(isAnthropic ? anthropicError(body) : body, known.status as ContentfulStatusCode);
}
