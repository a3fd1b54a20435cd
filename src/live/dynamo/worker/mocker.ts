import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineArgs } from '../../../config/engine-type.js';
import { InputError } from '../../../config/input-error.js';
import { planReplay } from '../../../config/replay-options.js';
import { resolveEngines } from '../../../setup/engines.js';
import { ENGINES } from '../../../setup/kinds.js';
import { WallClock } from '../../clock.js';
import { type FleetSettings, openServing } from '../../open-serving.js';
import { decodeJson, encodeJson } from '../codec/json.js';
import { Fields, type WireMap } from '../codec/value.js';
import { type ModelFolder, modelCard, readModelFolder, type WorkerRole } from '../discovery/card.js';
import { parseEndpoint } from '../discovery/names.js';
import {
  defaultEndpoint,
  type Environment,
  openRegistry,
  openRequestPlane,
  type PlaneChoices,
  randomId,
} from '../environment.js';
import type { RequestPlane } from '../request-plane/plane.js';
import {
  type EngineFlags,
  engineArguments,
  type Members,
  rankArguments,
  readEngineFile,
} from './engine-settings.js';
import { type Reasoning, TokenIds } from './token-ids.js';
import { Worker } from './worker.js';

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
  readonly workers: readonly Worker[];
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

/** Planes by flags, else by environment. */
function planesOf(flags: MockerFlags, environment: Environment): PlaneChoices {
  return {
    discovery: flags.discoveryBackend ?? environment.DYN_DISCOVERY_BACKEND ?? 'etcd',
    requestPlane: flags.requestPlane ?? environment.DYN_REQUEST_PLANE ?? 'tcp',
    eventPlane: flags.eventPlane ?? (environment.DYN_EVENT_PLANE || 'zmq'),
  };
}

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
  readonly workers: Worker[] = [];
  private readonly clock = new WallClock();
  private requests: RequestPlane | undefined;

  private constructor(
    private readonly flags: MockerFlags,
    private readonly environment: Environment,
    private readonly planes: PlaneChoices,
    private readonly role: WorkerRole,
    private readonly folder: ModelFolder | undefined,
    private readonly engine: Members,
    private readonly ids: TokenIds,
    private readonly args: EngineArgs,
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
    const args = engineOf(settingsOf(engine, flags, 0), warn);
    return new Launch(flags, environment, planesOf(flags, environment), role, folder, engine, ids, args);
  }

  async run(): Promise<void> {
    const { flags, planes, environment } = this;
    const { numWorkers } = flags;
    this.requests = await openRequestPlane(planes.requestPlane, environment);
    const seconds =
      flags.staggerDelay >= 0
        ? flags.staggerDelay
        : STAGGER.find(({ workers }) => numWorkers <= workers)!.seconds;
    for (let worker = 0; worker < numWorkers; worker++) {
      this.workers.push(await this.startWorker(worker, this.requests));
      if (seconds === 0 || worker === numWorkers - 1) continue;
      const pause = (worker + 1) % BATCH_WORKERS === 0 ? BATCH_PAUSE_SECONDS : 0;
      await sleep((seconds + pause) * 1000);
    }
  }

  private async startWorker(worker: number, requests: RequestPlane): Promise<Worker> {
    const { flags, environment, planes, role } = this;
    const registry = await openRegistry(planes.discovery, environment, this.clock);
    const settings = settingsOf(this.engine, flags, worker);
    const rankCount = typeof this.engine.dp_size === 'number' ? this.engine.dp_size : 1;
    const ranks = Array.from({ length: rankCount }, () => openServing(settings, new WallClock()));
    return Worker.start(
      { registry, requests },
      {
        name: parseEndpoint(flags.endpoint ?? '', defaultEndpoint(environment, role === 'prefill')),
        card: this.card(rankCount),
        role,
        ranks,
        ids: this.ids,
        cachesAnswers: flags.cacheAnswers === true,
        tellsErrors: flags.tellErrors === true,
      },
    );
  }

  private card(ranks: number): WireMap {
    const { args, flags, folder, role } = this;
    const card = modelCard({
      modelName: flags.modelName ?? flags.modelPath ?? 'dynamo',
      folder,
      locate: (file) => file.path,
      role,
      blockTokens: args.blockTokens,
      totalBlocks: args.gpuBlocks,
      maxSequences: Number.isFinite(args.maxSequences) ? args.maxSequences : flags.maxNumSeqs,
      maxBatchedTokens: Number.isFinite(args.maxBatchedTokens)
        ? args.maxBatchedTokens
        : flags.maxNumBatchedTokens,
      maxModelTokens: args.maxModelTokens,
      ranks,
      publishesKv: args.prefixCaching && role !== 'decode',
      bootstrap: undefined,
    });
    return decodeJson(encodeJson(card)) as WireMap;
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.requests?.close();
  }
}

function settingsOf(engine: Members, flags: MockerFlags, worker: number): FleetSettings {
  return {
    extraEngineArgs: rankArguments(engine, worker),
    timing: flags.timing,
    aicSystems: flags.aicSystems,
    numWorkers: 1,
    routerMode: 'round_robin',
  };
}

/** The engine that settings describe, with the size of its KV pool. @throws {InputError} */
function engineOf(settings: FleetSettings, warn: (line: string) => void): EngineArgs {
  const plan = planReplay(
    { ...settings, inputTokens: 1, outputTokens: 1, requestCount: 1, replayConcurrency: 1 },
    ENGINES,
  );
  const warnings: string[] = [];
  const { stages } = resolveEngines(plan, warnings);
  for (const line of warnings) warn(line);
  return stages[0].args;
}
