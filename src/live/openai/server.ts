import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { EngineArgs } from '../../config/engine-type.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import type { CacheWatch } from '../../simulation/engine-pool.js';
import { WallClock } from '../clock.js';
import { type FleetSettings, openFleet } from '../open-serving.js';
import { FolderTokenizer } from '../text/hf-tokenizer.js';
import type { ReasoningShape } from '../text/output-ids.js';
import { ByteTokenizer } from '../text/tokenizer.js';
import { Answering, type AnswerWatch } from './answering.js';
import { ApiError } from './api-error.js';
import { createApp } from './app.js';
import { type Fault, Faults } from './faults.js';
import { FleetFeed } from './fleet-feed.js';
import type { KvEventPlace, KvEventPorts, KvEventSettings } from './kv-event-ports.js';
import { LiveMetrics } from './metrics.js';
import { ServedModel } from './model.js';

export interface ServerSettings {
  fleet: FleetSettings | Scenario;
  host: string;
  /** 0 for any that is free. */
  port: number;
  modelName: string;
  /** Folder of a Hugging Face tokenizer. */
  modelPath: string | undefined;
  defaultOutputTokens: number;
  reasoning: ReasoningShape | undefined;
  /** Of output ids, and of faults. */
  seed: bigint;
  faults: readonly Fault[];
  /** Requests that may wait for their first token before others are refused. */
  mostWaiting: number | undefined;
  overloadStatus: 503 | 529;
  mostBodyBytes: number;
  mostConnections: number;
  /** Where what workers cache is told in vLLM's format; undefined for nowhere. */
  kvEvents: KvEventSettings | undefined;
}

export interface LiveServer {
  readonly url: string;
  readonly warnings: readonly string[];
  /** Where what its workers cache is told. */
  kvEventPlaces(): readonly KvEventPlace[];
  /** Takes nothing new, lets what is in service end, then closes. */
  close(): Promise<void>;
}

/** Time for the head of a request, for all of it, and for the next one on a connection. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
/** Time that connections get to end once nothing is in service any more. */
const LINGER_MS = 1000;
/** How often connections are looked at for those. */
const CHECK_MS = 1000;

/** Starts a server with a fleet behind it. @throws {InputError} for the first wrong setting */
export async function startServer(settings: ServerSettings): Promise<LiveServer> {
  const clock = new WallClock();
  const warnings: string[] = [];
  const kvEvents = await kvEventPorts(settings, clock);
  const { serving, engine } = openFleet(settings.fleet, clock, warnings, kvEvents && watcherOf(kvEvents));
  await kvEvents?.ready(() => serving.stages());
  const nowSeconds = () => Math.floor((clock.epochMs + clock.nowMs) / 1000);
  const model = new ServedModel(modelSettings(settings, serving.limits), nowSeconds());
  const metrics = new LiveMetrics({
    engine: engine.type.name,
    model,
    blockTokens: engine.blockTokens,
    blocks: engine.gpuBlocks,
    maxSequences: engine.maxSequences,
    stages: () => serving.stages(),
    nowSeconds,
  });
  const feed = new FleetFeed({
    fleet: serving,
    sections: () => serving.use().sections,
    nowMs: () => serving.nowMs,
  });
  let isDraining = false;
  const app = createApp({
    answering: new Answering({
      serving,
      model,
      seed: settings.seed,
      overloadStatus: settings.overloadStatus,
      watch: bothOf(metrics, feed),
      breakWorker: ({ number }, { kind, ms }) => {
        if (kind === 'worker-hang') serving.hangWorkerOf(number, ms);
        else serving.loseWorkerOf(number);
      },
      nowMs: () => serving.nowMs,
      nowSeconds,
    }),
    model,
    capacity: serving,
    kvEventPlaces: () => kvEvents?.places ?? [],
    feed,
    nowSeconds,
    faults: new Faults(settings.faults, settings.seed),
    mostBodyBytes: settings.mostBodyBytes,
    admit: () => {
      if (isDraining) throw new ApiError(503, 'the server is shutting down', { code: 'draining' });
      if (metrics.waiting >= (settings.mostWaiting ?? Number.POSITIVE_INFINITY))
        throw new ApiError(
          settings.overloadStatus,
          `more than ${settings.mostWaiting} requests are waiting`,
          {
            code: 'overloaded',
            headers: { 'retry-after': '1' },
          },
        );
    },
    answered: (endpoint, status) => metrics.answered(endpoint, status),
    isReady: () => !isDraining,
    metrics: () => metrics.scrape(),
  });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
  }) as Server;
  server.maxConnections = settings.mostConnections;
  await listen(server, settings);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    warnings,
    kvEventPlaces: () => kvEvents?.places ?? [],
    close: async () => {
      isDraining = true;
      await serving.drain();
      feed.close();
      await kvEvents?.close();
      await closed(server);
      clock.stop();
    },
  };
}

async function kvEventPorts(
  { kvEvents, host }: ServerSettings,
  clock: WallClock,
): Promise<KvEventPorts | undefined> {
  if (!kvEvents) return undefined;
  const { KvEventPorts } = await import('./kv-event-ports.js');
  return KvEventPorts.create(kvEvents, host, () => clock.unixMs);
}

function watcherOf(ports: KvEventPorts) {
  return (stages: readonly EngineArgs[]): CacheWatch[] =>
    stages.map(({ ranks, blockTokens }, index) =>
      ports.watch(index, stages.length === 1 ? '' : index === 0 ? 'prefill' : 'decode', ranks, blockTokens),
    );
}

function bothOf(first: AnswerWatch, second: AnswerWatch): AnswerWatch {
  return {
    begun: (choice) => {
      first.begun(choice);
      second.begun(choice);
    },
    piece: (choice) => {
      first.piece(choice);
      second.piece(choice);
    },
    ended: (choice) => {
      first.ended(choice);
      second.ended(choice);
    },
  };
}

/** Closes a server and the connections that wait for another request; those that stay all the same are cut. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), LINGER_MS / 20);
    const cut = setTimeout(() => server.closeAllConnections(), LINGER_MS);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function listen(server: Server, { host, port }: ServerSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

function modelSettings(
  settings: ServerSettings,
  limits: { promptTokens: number; modelTokens: number; heldTokens: number },
) {
  const tokenizer =
    settings.modelPath === undefined ? new ByteTokenizer() : new FolderTokenizer(settings.modelPath);
  return {
    name: settings.modelName,
    tokenizer,
    contextTokens: Math.min(limits.modelTokens, limits.heldTokens),
    promptTokens: limits.promptTokens,
    defaultOutputTokens: settings.defaultOutputTokens,
    output: { firstId: tokenizer.firstWord, endId: tokenizer.vocabulary, reasoning: settings.reasoning },
  };
}
