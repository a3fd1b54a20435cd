import { BlockHashes } from '../../block-hashes.js';
import { WallClock } from '../../clock.js';
import type { WireMap } from '../codec/value.js';
import type { EndpointName } from '../discovery/names.js';
import type { DiscoveryRecord, Instance, Scope } from '../discovery/records.js';
import type { Registry } from '../discovery/registry.js';
import { randomPublisherId } from '../environment.js';
import { KvIndex } from '../event-plane/kv-index.js';
import { KvPublisher } from '../event-plane/kv-publisher.js';
import { type EventPlane, Publisher, TOPICS } from '../event-plane/plane.js';
import type { RawEventPort } from '../event-plane/zmq.js';
import { BootstrapServer } from '../handoff/bootstrap-server.js';
import type { RequestPlane } from '../request-plane/plane.js';
import { GenerateEndpoint, type GenerateOptions } from './generate.js';
import { kvQueryEndpoint, kvQueryHandler } from './kv-query.js';
import { Rank, type RankParts } from './rank.js';
import { RankEvents } from './rank-events.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** What connects a worker with the others of its deployment. */
export interface WorkerPlanes {
  registry: Registry;
  requests: RequestPlane;
  events: EventPlane;
  metrics: WorkerMetrics;
}

export interface WorkerOptions extends Omit<GenerateOptions, 'ranks' | 'bootstrap' | 'meter'> {
  name: EndpointName;
  card: WireMap;
  parts: RankParts;
  rankCount: number;
  /** Whether routers hear of what it caches. */
  publishesKv: boolean;
  /** Ports of the first rank for KV events in vLLM's layout, and for asking for them again. */
  rawPort: number | undefined;
  replayPort: number | undefined;
  /** Where a prefill worker meets decode workers. */
  bootstrapPort: number | undefined;
  /** How long engines take to start, while requests wait. */
  startupMs: number;
}

const CODEC = 'msgpack';
/** What the reference's mocker says that it runs on. */
const DEVICE = 'cuda';

/** A simulated worker as a member of a deployment: found by frontends, called by them, telling them what it does. */
export class DynamoWorker {
  private readonly records: DiscoveryRecord[] = [];
  /** Endpoints that are served. */
  readonly served: EndpointName[] = [];
  private readonly ranks: Rank[] = [];
  private readonly closing: (() => void | Promise<void>)[] = [];
  private readonly clock = new WallClock();
  private readonly scope: Scope;
  private startup: NodeJS.Timeout | undefined;

  private constructor(
    private readonly planes: WorkerPlanes,
    private readonly options: WorkerOptions,
  ) {
    this.scope = { kind: 'endpoint', ...options.name };
  }

  get id(): bigint {
    return this.planes.registry.instanceId;
  }

  static async start(planes: WorkerPlanes, options: WorkerOptions): Promise<DynamoWorker> {
    const worker = new DynamoWorker(planes, options);
    await worker.register();
    return worker;
  }

  private readonly unixMs = (): number => this.clock.unixMs;

  private async register(): Promise<void> {
    const { name, card, rankCount, startupMs } = this.options;
    const records: DiscoveryRecord[] = [];
    const load = await this.open(TOPICS.load, records);
    const passes = await this.open(TOPICS.passes, records);
    for (let rank = 0; rank < rankCount; rank++)
      this.ranks.push(await this.createRank(rank, load, passes, records));
    if (startupMs > 0) this.delayStart(startupMs);
    const bootstrap = await this.openBootstrap();
    const { metrics } = this.planes;
    metrics.add(this.id, this.ranks);
    const meter = (rank: number) => metrics.meter(rank);
    const generate = new GenerateEndpoint({ ...this.options, ranks: this.ranks, bootstrap, meter });
    const instance = await this.serve(name, generate.handle);
    await this.add({ type: 'Model', model: { ...name, instanceId: this.id, card } });
    await this.add({ type: 'Endpoint', instance });
    for (const record of records) await this.add(record);
  }

  private async serve(name: EndpointName, handler: GenerateEndpoint['handle']): Promise<Instance> {
    const { requests, metrics } = this.planes;
    const transport = await requests.serve(name, this.id, metrics.counted(name, this.id, handler));
    this.served.push(name);
    return { ...name, instanceId: this.id, transport, deviceType: DEVICE, codec: CODEC };
  }

  /** Opens a channel for events. @param records gets its record */
  private async open(topic: string, records: DiscoveryRecord[]): Promise<Publisher> {
    const { scope } = this;
    const publisherId = randomPublisherId();
    const outlet = await this.planes.events.open(scope, topic, publisherId);
    const { transport } = outlet;
    records.push({ type: 'EventChannel', channel: { scope, topic, publisherId, transport } });
    this.closing.push(() => outlet.close());
    return new Publisher(publisherId, topic, outlet, this.unixMs);
  }

  private async createRank(
    rank: number,
    load: Publisher,
    passes: Publisher,
    records: DiscoveryRecord[],
  ): Promise<Rank> {
    const { parts, publishesKv, rawPort } = this.options;
    const hashes = await BlockHashes.create(rawPort !== undefined);
    const kv = publishesKv ? await this.openKv(rank, hashes, records) : undefined;
    const events = new RankEvents(this.id, rank, kv, load, passes);
    this.closing.push(() => events.stop());
    return new Rank(parts, new WallClock(), events, publishesKv ? hashes : undefined);
  }

  /** Opens the KV events of a rank, and the endpoint at which they can be asked for. */
  private async openKv(rank: number, hashes: BlockHashes, records: DiscoveryRecord[]): Promise<KvPublisher> {
    const { scope, id, unixMs } = this;
    const { name, parts } = this.options;
    const publisher = await this.open(TOPICS.kvEvents, records);
    const index = new KvIndex(id, rank);
    const endpoint = { ...name, endpoint: kvQueryEndpoint(publisher.id) };
    const recovery = await this.serve(endpoint, kvQueryHandler(id, rank, index));
    records.push(
      { type: 'Endpoint', instance: recovery },
      {
        type: 'EventSource',
        source: {
          scope,
          topic: TOPICS.kvEvents,
          publisherId: publisher.id,
          kvState: name,
          workerId: id,
          rank,
          recovery,
        },
      },
    );
    const raw = await this.openRaw(rank);
    return new KvPublisher(id, rank, parts.args.blockTokens, hashes, { publisher, index, raw }, unixMs);
  }

  private async openRaw(rank: number): Promise<RawEventPort | undefined> {
    const { rawPort, replayPort } = this.options;
    if (rawPort === undefined) return undefined;
    const { RawEventPort } = await import('../event-plane/zmq.js');
    const raw = await RawEventPort.bind({
      host: '0.0.0.0',
      topic: '',
      port: rawPort + rank,
      replayPort: replayPort === undefined ? undefined : replayPort + rank,
    });
    this.closing.push(() => raw.close());
    return raw;
  }

  private async openBootstrap(): Promise<BootstrapServer | undefined> {
    const { bootstrapPort } = this.options;
    if (bootstrapPort === undefined) return undefined;
    const server = await BootstrapServer.listen(bootstrapPort);
    this.closing.push(() => server.close());
    return server;
  }

  private delayStart(startupMs: number): void {
    for (const rank of this.ranks) rank.pause();
    this.startup = setTimeout(() => {
      for (const rank of this.ranks) rank.resume();
    }, startupMs);
  }

  private async add(record: DiscoveryRecord): Promise<void> {
    await this.planes.registry.register(record);
    this.records.unshift(record);
  }

  /** Leaves the deployment: nobody finds it any more, then what it serves is served to the end. */
  async stop(): Promise<void> {
    const { registry, requests } = this.planes;
    for (const record of this.records) await registry.unregister(record);
    for (const name of this.served) await requests.withdraw(name, this.id);
    await Promise.all(this.ranks.map((rank) => rank.drain()));
    clearTimeout(this.startup);
    for (const close of this.closing) await close();
    await registry.close();
  }
}
