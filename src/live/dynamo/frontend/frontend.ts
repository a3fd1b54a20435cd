import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { InputError } from '../../../config/input-error.js';
import { readJson } from '../../../config/json.js';
import { type RouterSettings, readRouterConfig } from '../../../config/router-config.js';
import { libertiesOf } from '../../../config/scenario/liberties.js';
import { withPolicy } from '../../../setup/engines.js';
import { kindOf, ROUTERS } from '../../../setup/kinds.js';
import { WallClock } from '../../clock.js';
import { Answering } from '../../openai/answering.js';
import { ApiError } from '../../openai/api-error.js';
import { createApp } from '../../openai/app.js';
import { Faults } from '../../openai/faults.js';
import { LiveMetrics } from '../../openai/metrics.js';
import { ServedModel } from '../../openai/model.js';
import { FolderTokenizer } from '../../text/hf-tokenizer.js';
import { Fields } from '../codec/value.js';
import { type Environment, ownAddress } from '../environment.js';
import { disconnectNats, openEventPlane, openNatsSender, openRegistry, planesOf } from '../planes.js';
import { RequestClient } from '../request-plane/client.js';
import { Deployment, type DiscoveredModel, generatingPool } from './deployment.js';
import { fetchModelFiles, type ModelFiles } from './model-files.js';
import { RemoteServing } from './remote-serving.js';

/** The flags of `dynosim frontend`. */
export interface FrontendFlags {
  httpHost: string;
  httpPort: number;
  routerMode: 'round-robin' | 'kv';
  routerConfig?: string;
  routerSeed?: bigint;
  namespace?: string;
  discoveryBackend?: string;
  requestPlane?: string;
  eventPlane?: string;
  maxBodyBytes: number;
  maxConnections: number;
}

export interface Frontend {
  readonly url: string;
  /** Takes nothing new, lets what is in service end, then leaves. */
  close(): Promise<void>;
}

type Env = { Bindings: HttpBindings };

/** A model that is open to clients. */
interface OpenModel {
  app: Hono<Env>;
  model: ServedModel;
  serving: RemoteServing;
  metrics: LiveMetrics;
  files: ModelFiles;
}

const ROUTER_MODES = { 'round-robin': 'round_robin', kv: 'kv_router' } as const;
const LINGER_MS = 1000;
/** As Dynamo's frontend answers when workers take no more. */
const OVERLOAD_STATUS = 529;

/** The router's settings from the JSON text of its flag. @throws {InputError} */
function routerSettings(text: string | undefined): RouterSettings {
  const where = '--router-config';
  const json = text === undefined ? undefined : readJson(text, where);
  const liberties = libertiesOf(
    { semantics: 'dynamo-1.4.2', beyondReference: false, mendsFaults: false },
    false,
  );
  return withPolicy(readRouterConfig(json, undefined, where, liberties), undefined);
}

/** Opens a frontend. @throws {InputError} for the first wrong flag */
export async function startFrontend(
  flags: FrontendFlags,
  environment: Environment,
  warn: (line: string) => void,
): Promise<Frontend> {
  const routing = {
    kind: kindOf(ROUTERS, ROUTER_MODES[flags.routerMode]),
    settings: routerSettings(flags.routerConfig),
    seed: flags.routerSeed,
  };
  const clock = new WallClock();
  const choices = planesOf(flags, environment);
  const registry = await openRegistry(choices.discovery, environment, clock);
  const events = await openEventPlane(choices.eventPlane, environment);
  const sender = await openNatsSender(choices.requestPlane, environment);
  const unixNs = () => BigInt(Math.round(clock.unixMs * 1000)) * 1000n;
  const client = await RequestClient.listen(ownAddress(), unixNs, sender);
  const models = new Models(flags, client, clock);
  const deployment = new Deployment({
    ...{ registry, client, events, routing, warn },
    namespace: flags.namespace,
    nowMs: () => clock.nowMs,
    opened: (model) => models.open(model),
    closed: (name) => models.close(name),
  });
  const server = await models.listen();
  await deployment.watch();
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: async () => {
      await models.drain();
      await stopped(server);
      await deployment.close();
      await client.close();
      await events.close();
      await registry.close();
      await disconnectNats();
      await models.remove();
      clock.stop();
    },
  };
}

function stopped(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), LINGER_MS).unref();
  });
}

/** The models of a deployment behind one port: each request goes to the model that it names. */
class Models {
  private readonly byName = new Map<string, OpenModel>();
  private readonly gone: ModelFiles[] = [];
  private isDraining = false;

  constructor(
    private readonly flags: FrontendFlags,
    private readonly client: RequestClient,
    private readonly clock: WallClock,
  ) {}

  private readonly nowSeconds = (): number => Math.floor(this.clock.unixMs / 1000);

  async open(discovered: DiscoveredModel): Promise<void> {
    const { name, record } = discovered;
    const files = await fetchModelFiles(record.card);
    const model = new ServedModel(modelSettings(discovered, files), this.nowSeconds());
    const serving = new RemoteServing({
      model: name,
      client: this.client,
      eosTokens: files.eosTokens,
      nowMs: () => this.clock.nowMs,
      pools: {
        generating: () => generatingPool(discovered),
        prefill: () =>
          discovered.pools.get('aggregated')?.size ? undefined : discovered.pools.get('prefill'),
      },
    });
    const metrics = new LiveMetrics({
      ...{ engine: 'vllm', model, nowSeconds: this.nowSeconds, stages: () => [] },
      ...{ blockTokens: 1, blocks: 0, maxSequences: 0 },
    });
    const nowMs = () => this.clock.nowMs;
    const app = createApp({
      answering: new Answering({
        serving,
        model,
        seed: 0n,
        overloadStatus: OVERLOAD_STATUS,
        watch: metrics,
        breakWorker: ({ number }, { kind, ms }) => {
          if (kind === 'worker-hang') serving.hang(number, ms);
          else serving.fail(number);
        },
        nowMs,
        nowSeconds: this.nowSeconds,
      }),
      model,
      capacity: undefined,
      kvEventPlaces: () => [],
      feed: undefined,
      nowSeconds: this.nowSeconds,
      faults: new Faults([], 0n),
      mostBodyBytes: this.flags.maxBodyBytes,
      admit: () => {
        if (this.isDraining) throw new ApiError(503, 'the server is shutting down', { code: 'draining' });
      },
      answered: (endpoint, status) => metrics.answered(endpoint, status),
      isReady: () => !this.isDraining,
      metrics: () => metrics.scrape(),
    });
    this.byName.set(name, { app, model, serving, metrics, files });
  }

  close(name: string): void {
    const model = this.byName.get(name);
    if (model) this.gone.push(model.files);
    this.byName.delete(name);
  }

  listen(): Promise<Server> {
    const { httpHost, httpPort, maxConnections } = this.flags;
    const server = createAdaptorServer({ fetch: this.routes().fetch }) as Server;
    server.maxConnections = maxConnections;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new InputError(`--http-port: ${error.message}`)));
      server.listen(httpPort, httpHost, () => resolve(server));
    });
  }

  private routes(): Hono<Env> {
    const app = new Hono<Env>();
    const mostBytes = this.flags.maxBodyBytes;
    const refuse = (error: ApiError) => ({
      body: error.toJSON(),
      status: error.status as ContentfulStatusCode,
    });
    app.use(
      '*',
      bodyLimit({
        maxSize: mostBytes,
        onError: (c) => {
          const { body, status } = refuse(new ApiError(413, `the body is larger than ${mostBytes} bytes`));
          return c.json(body, status);
        },
      }),
    );
    app.get('/v1/models', (c) =>
      c.json({ object: 'list', data: [...this.byName.values()].flatMap(({ model }) => model.list()) }),
    );
    app.get('/health', (c) => c.json({ status: 'healthy', models: [...this.byName.keys()] }));
    app.get('/live', (c) => c.json({ status: 'live', message: 'Service is live' }));
    app.get('/metrics', async (c) => c.body(await this.metrics(), 200, { 'content-type': 'text/plain' }));
    app.get('/v1/models/:id{.+}', (c) => {
      const model = this.byName.get(c.req.param('id'));
      if (model) return model.app.fetch(c.req.raw, c.env);
      const { body, status } = refuse(noModel(c.req.param('id')));
      return c.json(body, status);
    });
    app.post('*', async (c) => {
      const text = await c.req.text();
      const name = modelNamed(text);
      const model = name === undefined ? [...this.byName.values()][0] : this.byName.get(name);
      if (!model) {
        const { body, status } = refuse(noModel(name ?? ''));
        return c.json(body, status);
      }
      const { url, headers } = c.req.raw;
      return model.app.fetch(new Request(url, { method: 'POST', headers, body: text }), c.env);
    });
    app.notFound((c) => {
      const { body, status } = refuse(new ApiError(404, `no such path: ${c.req.method} ${c.req.path}`));
      return c.json(body, status);
    });
    return app;
  }

  /** The metrics of all models; what is said of a name is said once. */
  private async metrics(): Promise<string> {
    const said = new Set<string>();
    const lines: string[] = [];
    for (const { metrics } of this.byName.values())
      for (const line of (await metrics.scrape()).text.split('\n')) {
        if (line.startsWith('#') && said.has(line)) continue;
        said.add(line);
        lines.push(line);
      }
    return `${lines.join('\n')}\n`;
  }

  async drain(): Promise<void> {
    this.isDraining = true;
    await Promise.all([...this.byName.values()].map(({ serving }) => serving.drain()));
  }

  /** Removes the files of all models. */
  async remove(): Promise<void> {
    const files = [...this.gone, ...[...this.byName.values()].map((model) => model.files)];
    await Promise.all(files.map((each) => each.remove()));
  }
}

function noModel(name: string): ApiError {
  return new ApiError(404, `The model '${name}' does not exist`, { param: 'model', code: 'model_not_found' });
}

/** The model that a request names; undefined for a body that cannot be read, which the routes of a model will tell. */
function modelNamed(text: string): string | undefined {
  try {
    const { model } = JSON.parse(text);
    return typeof model === 'string' ? model : undefined;
  } catch {
    return undefined;
  }
}

/** What clients can ask of a model, by its card. */
function modelSettings({ name, record }: DiscoveredModel, { folder }: ModelFiles) {
  const card = Fields.of(record.card, 'card');
  const runtime = card.optionalFields('runtime_config');
  const limit =
    runtime?.optionalCount('context_length') || card.optionalCount('architectural_max_context_length');
  const held = (runtime?.optionalCount('total_kv_blocks') ?? 0) * card.count('kv_cache_block_size');
  const contextTokens = limit || held || Number.POSITIVE_INFINITY;
  const tokenizer = new FolderTokenizer(folder);
  return {
    name,
    tokenizer,
    contextTokens,
    promptTokens: contextTokens - 1,
    defaultOutputTokens: contextTokens,
    output: { firstId: tokenizer.firstWord, endId: tokenizer.vocabulary, reasoning: undefined },
  };
}
