import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineArgs } from '../../../config/engine-type.js';
import { InputError } from '../../../config/input-error.js';
import { WallClock } from '../../clock.js';
import { decodeJson, encodeJson } from '../codec/json.js';
import { Fields, Float, type WireMap, type Writable } from '../codec/value.js';
import {
  type ModelFile,
  type ModelFolder,
  modelCard,
  readModelFolder,
  type WorkerRole,
} from '../discovery/card.js';
import { type EndpointName, parseEndpoint, slug } from '../discovery/names.js';
import { countFrom, defaultEndpoint, type Environment, ownAddress, randomId } from '../environment.js';
import type { EventPlane } from '../event-plane/plane.js';
import { disconnectNats, openEventPlane, openRegistry, openRequestPlane, planesOf } from '../planes.js';
import type { RequestPlane } from '../request-plane/plane.js';
import {
  type EngineFlags,
  engineArguments,
  type Members,
  rankArguments,
  readEngineFile,
} from './engine-settings.js';
import type { RankParts } from './rank.js';
import { handoffOf, rankParts } from './rank-parts.js';
import { readRecording } from './recording.js';
import { SystemServer } from './system-server.js';
import { type Reasoning, TokenIds } from './token-ids.js';
import { DynamoWorker } from './worker.js';
import { WorkerMetrics } from './worker-metrics.js';

/** The flags of `dynosim mocker`, which are those of `python -m dynamo.mocker` and a few of our own. */
export interface MockerFlags extends EngineFlags {
  modelPath?: string;
  modelName?: string;
  endpoint?: string;
  numWorkers: number;
  staggerDelay: number;
  startupTime?: number;
  extraEngineArgs?: string;
  seed?: bigint;
  cacheAnswers?: boolean;
  tellErrors?: boolean;
  reasoning?: string;
  responseReplayTracePath?: string;
  dataParallelSize: number;
  timing?: string;
  aicSystems?: string;
  disaggregationMode?: 'agg' | 'prefill' | 'decode';
  isPrefillWorker?: boolean;
  isDecodeWorker?: boolean;
  bootstrapPorts?: number[];
  zmqKvEventsPorts?: number[];
  zmqReplayPorts?: number[];
  discoveryBackend?: string;
  requestPlane?: string;
  eventPlane?: string;
}

/** Workers of one process. */
export interface Mocker {
  readonly workers: readonly DynamoWorker[];
  /** The status port; undefined without. */
  readonly systemPort: number | undefined;
  /** Takes nothing new, finishes what is in service, leaves the deployment. */
  stop(): Promise<void>;
}

const ROLES = { agg: 'aggregated', prefill: 'prefill', decode: 'decode' } as const;
/** With so many workers their starts are spread, and pause after each batch. */
const STAGGER = [
  { workers: 32, seconds: 0 },
  { workers: 128, seconds: 0.1 },
  { workers: Number.POSITIVE_INFINITY, seconds: 0.2 },
];
const BATCH_WORKERS = 32;
const BATCH_PAUSE_SECONDS = 2;

function roleOf(flags: MockerFlags): WorkerRole {
  const { disaggregationMode: mode, isPrefillWorker, isDecodeWorker } = flags;
  if ((isPrefillWorker || isDecodeWorker) && mode !== undefined)
    throw new InputError(
      '--is-prefill-worker and --is-decode-worker cannot be combined with --disaggregation-mode: use only that',
    );
  if (isPrefillWorker && isDecodeWorker)
    throw new InputError(
      '--is-prefill-worker and --is-decode-worker: a worker is one or the other, or neither',
    );
  if (isPrefillWorker) return 'prefill';
  return isDecodeWorker ? 'decode' : ROLES[mode ?? 'agg'];
}

function checkFlags(flags: MockerFlags): void {
  const { numWorkers, staggerDelay, g1Backend, engineType } = flags;
  const offloads = (flags.numG2Blocks ?? 0) > 0 || (flags.numG3Blocks ?? 0) > 0 || flags.enableG4Storage;
  if (engineType !== 'sglang' && g1Backend === 'native' && offloads)
    throw new InputError('--g1-backend: native cannot be combined with the cache tiers G2, G3 and G4');
  if (numWorkers < 1) throw new InputError(`--num-workers must be at least 1, got ${numWorkers}`);
  if (staggerDelay < 0 && staggerDelay !== -1)
    throw new InputError(
      `--stagger-delay: ${staggerDelay} is not allowed: -1 for auto, 0 for none, or seconds`,
    );
  for (const [name, ports] of [
    ['--bootstrap-ports', flags.bootstrapPorts],
    ['--zmq-kv-events-ports', flags.zmqKvEventsPorts],
    ['--zmq-replay-ports', flags.zmqReplayPorts],
  ] as const)
    if (ports && ports.length !== numWorkers)
      throw new InputError(
        `${name} must have exactly --num-workers (${numWorkers}) ports, got ${ports.length}`,
      );
  if (flags.zmqReplayPorts && !flags.zmqKvEventsPorts)
    throw new InputError('--zmq-replay-ports requires --zmq-kv-events-ports');
}

function readReasoning(text: string | undefined): Reasoning | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const fields = Fields.of(decodeJson(text), '--reasoning');
    return {
      startId: fields.count('start_thinking_token_id'),
      endId: fields.count('end_thinking_token_id'),
      ratio: fields.float('thinking_ratio'),
    };
  } catch (error) {
    throw new InputError((error as Error).message);
  }
}

/** Starts workers. @throws {InputError} for the first wrong flag */
export async function startMocker(
  flags: MockerFlags,
  environment: Environment,
  warn: (line: string) => void,
): Promise<Mocker> {
  checkFlags(flags);
  const launch = await Launch.prepare(flags, environment, warn);
  try {
    await launch.run();
  } catch (error) {
    await launch.stop();
    throw error;
  }
  return launch;
}

class Launch implements Mocker {
  readonly workers: DynamoWorker[] = [];
  private readonly clock = new WallClock();
  private requests: RequestPlane | undefined;
  private events: EventPlane | undefined;
  private system: SystemServer | undefined;

  private constructor(
    private readonly flags: MockerFlags,
    private readonly environment: Environment,
    private readonly planes: ReturnType<typeof planesOf>,
    private readonly role: WorkerRole,
    private readonly folder: ModelFolder | undefined,
    private readonly engine: Members,
    private readonly ids: TokenIds,
    private readonly recorded: ReadonlyMap<string, Uint32Array>,
    private readonly warn: (line: string) => void,
  ) {}

  static async prepare(
    flags: MockerFlags,
    environment: Environment,
    warn: (line: string) => void,
  ): Promise<Launch> {
    const role = roleOf(flags);
    const folder = flags.modelPath === undefined ? undefined : await readModelFolder(flags.modelPath);
    const engine =
      flags.extraEngineArgs === undefined
        ? {
            ...engineArguments(flags, flags.modelPath, folder),
            dp_size: flags.dataParallelSize,
            startup_time: flags.startupTime,
          }
        : readEngineFile(flags.extraEngineArgs);
    const ids = new TokenIds(flags.seed ?? randomId(), readReasoning(flags.reasoning));
    const trace = flags.responseReplayTracePath;
    const recorded = trace === undefined ? new Map<string, Uint32Array>() : readRecording(trace);
    const planes = planesOf(flags, environment);
    return new Launch(flags, environment, planes, role, folder, engine, ids, recorded, warn);
  }

  async run(): Promise<void> {
    const { flags, planes, environment, warn } = this;
    const { numWorkers } = flags;
    // Every engine is made before anything is opened: wrong arguments leave nothing behind.
    const parts = Array.from({ length: numWorkers }, (_, worker) =>
      rankParts(rankArguments(this.engine, worker), this.role, flags, worker === 0 ? warn : () => {}),
    );
    this.requests = await openRequestPlane(planes.requestPlane, environment);
    this.events = await openEventPlane(planes.eventPlane, environment);
    const metrics = new WorkerMetrics(parts[0].kind.name, this.modelName, () => this.clock.nowMs);
    await this.openSystem(metrics);
    const seconds =
      flags.staggerDelay >= 0
        ? flags.staggerDelay
        : STAGGER.find(({ workers }) => numWorkers <= workers)!.seconds;
    for (let worker = 0; worker < numWorkers; worker++) {
      this.workers.push(await this.startWorker(worker, parts[worker], this.requests, this.events, metrics));
      for (const { endpoint } of this.workers[worker].served) this.system?.endpoints.add(endpoint);
      if (seconds === 0 || worker === numWorkers - 1) continue;
      const pause = (worker + 1) % BATCH_WORKERS === 0 ? BATCH_PAUSE_SECONDS : 0;
      await sleep((seconds + pause) * 1000);
    }
  }

  get systemPort(): number | undefined {
    return this.system?.port;
  }

  private get modelName(): string {
    return this.flags.modelName ?? this.flags.modelPath ?? 'dynamo';
  }

  /** Opens the status port where the environment names one; 0 stands for any. */
  private async openSystem(metrics: WorkerMetrics): Promise<void> {
    const port = countFrom(this.environment, 'DYN_SYSTEM_PORT');
    if (port === undefined) return;
    const host = this.environment.DYN_SYSTEM_HOST || '0.0.0.0';
    this.system = await SystemServer.listen(host, port, metrics, () => this.clock.nowMs);
    this.system.files = this.folder?.files ?? [];
  }

  /** Where a frontend elsewhere finds a file of the model; undefined without a status port. */
  private urlOf({ file }: ModelFile): string | undefined {
    if (!this.system || this.environment.DYN_SELF_HOST_METADATA === '0') return undefined;
    const name = this.endpointName;
    const path = `${name.namespace}/${name.component}/${name.endpoint}/${slug(this.modelName)}/_base/${file}`;
    return `http://${ownAddress()}:${this.system.port}/v1/metadata/${path}`;
  }

  private get endpointName(): EndpointName {
    const { flags, environment, role } = this;
    return parseEndpoint(flags.endpoint ?? '', defaultEndpoint(environment, role === 'prefill'));
  }

  private async startWorker(
    worker: number,
    parts: RankParts,
    requests: RequestPlane,
    events: EventPlane,
    metrics: WorkerMetrics,
  ): Promise<DynamoWorker> {
    const { flags, environment, planes, role, engine } = this;
    const registry = await openRegistry(planes.discovery, environment, this.clock);
    const rankCount = typeof engine.dp_size === 'number' ? engine.dp_size : 1;
    const publishesKv = parts.args.prefixCaching && role !== 'decode';
    return DynamoWorker.start(
      { registry, requests, events, metrics },
      {
        name: this.endpointName,
        card: this.card(parts.args, rankCount, publishesKv, worker),
        role,
        parts,
        rankCount,
        publishesKv,
        rawPort: flags.zmqKvEventsPorts?.[worker],
        replayPort: flags.zmqReplayPorts?.[worker],
        bootstrapPort: this.bootstrapPort(worker),
        handoff: handoffOf(parts),
        recorded: this.recorded,
        startupMs: secondsOf(engine.startup_time) * 1000,
        ids: this.ids,
        cachesAnswers: flags.cacheAnswers === true,
        tellsErrors: flags.tellErrors === true,
      },
    );
  }

  /** Decode workers and aggregated ones listen nowhere. */
  private bootstrapPort(worker: number): number | undefined {
    return this.role === 'prefill' ? this.flags.bootstrapPorts?.[worker] : undefined;
  }

  private card(args: EngineArgs, ranks: number, publishesKv: boolean, worker: number): WireMap {
    const { flags, folder, role } = this;
    const port = this.bootstrapPort(worker);
    const card = modelCard({
      modelName: this.modelName,
      folder,
      locate: (file) => this.urlOf(file) ?? file.path,
      role,
      blockTokens: args.blockTokens,
      totalBlocks: args.gpuBlocks,
      maxSequences: Number.isFinite(args.maxSequences) ? args.maxSequences : flags.maxNumSeqs,
      maxBatchedTokens: Number.isFinite(args.maxBatchedTokens)
        ? args.maxBatchedTokens
        : flags.maxNumBatchedTokens,
      maxModelTokens: args.maxModelTokens,
      ranks,
      publishesKv,
      bootstrap:
        port === undefined ? undefined : { host: this.environment.DYN_HTTP_RPC_HOST || ownAddress(), port },
    });
    return decodeJson(encodeJson(card)) as WireMap;
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.system?.close();
    await this.requests?.close();
    await this.events?.close();
    await disconnectNats();
  }
}

function secondsOf(value: Writable | undefined): number {
  if (value instanceof Float) return value.value;
  return typeof value === 'number' ? value : 0;
}
