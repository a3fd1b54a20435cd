import { InputError } from '../../../config/input-error.js';
import { Fields, WireError, type WireValue } from '../codec/value.js';
import type { WorkerRole } from '../discovery/card.js';
import {
  BUCKETS,
  type EventChannel,
  type EventSource,
  endpointKey,
  type Instance,
  type ModelRecord,
} from '../discovery/records.js';
import type { Registry, Watch } from '../discovery/registry.js';
import { decodeKvEvents } from '../event-plane/kv-events.js';
import { type EventPlane, TOPICS } from '../event-plane/plane.js';
import type { RequestClient } from '../request-plane/client.js';
import { RemoteCache } from './remote-cache.js';
import { type RoutingOptions, WorkerPool } from './worker-pool.js';

const ROLES: readonly WorkerRole[] = ['aggregated', 'prefill', 'decode'];

/** A model with the workers that serve it. */
export interface DiscoveredModel {
  name: string;
  /** The card of the first worker that generates. */
  record: ModelRecord;
  pools: Map<WorkerRole, WorkerPool>;
}

export interface DeploymentParts {
  registry: Registry;
  client: RequestClient;
  events: EventPlane;
  routing: RoutingOptions;
  /** Of the models that are served; undefined for all. */
  namespace: string | undefined;
  nowMs(): number;
  /** A model can be served from now on, or no longer. */
  opened(model: DiscoveredModel): Promise<void>;
  closed(name: string): void;
  warn(line: string): void;
}

/** Follows what comes and goes in a deployment. */
export class Deployment {
  private readonly models = new Map<string, DiscoveredModel>();
  private readonly records = new Map<string, ModelRecord>();
  private readonly instances = new Map<string, Instance>();
  private readonly joined = new Map<string, WorkerPool>();
  private readonly sources = new Map<string, EventSource>();
  private readonly channels = new Map<string, EventChannel>();
  private readonly listening = new Map<string, () => void>();
  private readonly watches: Watch[] = [];
  /** Changes are followed one after the other. */
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly parts: DeploymentParts) {}

  async watch(): Promise<void> {
    const { registry } = this.parts;
    this.watches.push(
      await registry.watch(BUCKETS.models, this.parts.namespace ?? '', {
        added: (key, record) =>
          record.type === 'Model' && this.follow(() => this.modelAdded(key, record.model)),
        removed: (key) => this.follow(() => this.removed(key, this.records)),
      }),
      await registry.watch(BUCKETS.instances, '', {
        added: (key, record) =>
          record.type === 'Endpoint' && this.follow(() => this.instanceAdded(key, record.instance)),
        removed: (key) => this.follow(() => this.removed(key, this.instances)),
      }),
      await registry.watch(BUCKETS.sources, '', {
        added: (key, record) =>
          record.type === 'EventSource' && this.follow(() => this.sourceAdded(key, record.source)),
        removed: (key) => this.follow(() => this.eventsRemoved(key, this.sources)),
      }),
      await registry.watch(BUCKETS.channels, '', {
        added: (key, record) =>
          record.type === 'EventChannel' && this.follow(() => this.channelAdded(key, record.channel)),
        removed: (key) => this.follow(() => this.eventsRemoved(key, this.channels)),
      }),
    );
    await this.last;
  }

  private follow(change: () => void | Promise<void>): void {
    this.last = this.last.then(change).catch((error: Error) => {
      if (!(error instanceof WireError || error instanceof InputError)) throw error;
      this.parts.warn(error.message);
    });
  }

  // ---- Workers -----------------------------------------------------------------------------------------------

  private async modelAdded(key: string, record: ModelRecord): Promise<void> {
    if (record.suffix !== undefined) return;
    this.records.set(key, record);
    await this.join(key);
  }

  private async instanceAdded(key: string, instance: Instance): Promise<void> {
    this.instances.set(key, instance);
    await this.join(key);
  }

  /** A worker takes part once both its card and its endpoint are there; both have the same key. */
  private async join(key: string): Promise<void> {
    const record = this.records.get(key);
    const instance = this.instances.get(key);
    if (!record || !instance || this.joined.has(key)) return;
    const card = Fields.of(record.card, 'card');
    const role = (card.optionalText('worker_type') ?? '') as WorkerRole;
    if (!ROLES.includes(role)) return;
    const name = card.text('display_name');
    let model = this.models.get(name);
    if (!model) {
      model = { name, record, pools: new Map() };
      this.models.set(name, model);
    }
    let pool = model.pools.get(role);
    if (!pool) {
      pool = await WorkerPool.create(role, record, this.parts.routing, this.parts.nowMs);
      model.pools.set(role, pool);
    }
    const wasOpen = isServable(model);
    pool.add(key, instance, record);
    this.joined.set(key, pool);
    if (role !== 'prefill') model.record = record;
    if (!wasOpen && isServable(model)) await this.parts.opened(model);
    await this.listenAll();
  }

  private removed(key: string, records: Map<string, unknown>): void {
    records.delete(key);
    const pool = this.joined.get(key);
    this.parts.client.instanceRemoved(key);
    if (!pool) return;
    this.joined.delete(key);
    pool.remove(key);
    for (const model of this.models.values()) {
      if (![...model.pools.values()].includes(pool)) continue;
      if (!isServable(model)) this.parts.closed(model.name);
      if ([...model.pools.values()].every(({ size }) => size === 0)) this.models.delete(model.name);
    }
  }

  // ---- Events ------------------------------------------------------------------------------------------------

  private async sourceAdded(key: string, source: EventSource): Promise<void> {
    this.sources.set(key, source);
    await this.listen(key);
  }

  private async channelAdded(key: string, channel: EventChannel): Promise<void> {
    this.channels.set(key, channel);
    await this.listen(key);
  }

  private eventsRemoved(key: string, records: Map<string, unknown>): void {
    records.delete(key);
    this.listening.get(key)?.();
    this.listening.delete(key);
  }

  private async listenAll(): Promise<void> {
    for (const key of this.sources.keys()) await this.listen(key);
  }

  /** Follows the cache of a rank once its source, its channel and the worker are there. */
  private async listen(key: string): Promise<void> {
    const source = this.sources.get(key);
    const channel = this.channels.get(key);
    if (!source || !channel || channel.topic !== TOPICS.kvEvents || this.listening.has(key)) return;
    const { workerId: instanceId, rank, recovery, kvState } = source;
    const pool = this.joined.get(endpointKey({ ...kvState, instanceId }));
    const listener = pool?.listenerOf(instanceId, rank);
    if (!pool || !listener) return;
    const cache = new RemoteCache(pool.hashes, pool.blockNames, listener, (start, answer) => {
      if (!recovery) answer(null);
      else this.ask(recovery, instanceId, rank, start, answer);
    });
    const stop = await this.parts.events.listen(channel, ({ payload }) =>
      cache.hear(decodeKvEvents(payload)),
    );
    this.listening.set(key, () => {
      stop();
      cache.clear();
    });
  }

  private ask(
    target: Instance,
    workerId: bigint,
    rank: number,
    start: bigint | undefined,
    answer: (value: WireValue) => void,
  ): void {
    const query = {
      worker_id: workerId,
      dp_rank: rank,
      start_event_id: start ?? null,
      end_event_id: null,
      supports_tree_dump_failed: true,
    };
    let found: WireValue = null;
    this.parts.client.call(target, () => query, {
      item: (value) => {
        found = value;
      },
      ended: () => answer(found),
      failed: () => answer(null),
    });
  }

  async close(): Promise<void> {
    for (const watch of this.watches) await watch.close();
    for (const stop of this.listening.values()) stop();
  }
}

/** The pool whose workers generate: whole requests, or decode. */
export function generatingPool({ pools }: DiscoveredModel): WorkerPool | undefined {
  const aggregated = pools.get('aggregated');
  return aggregated && aggregated.size > 0 ? aggregated : pools.get('decode');
}

/** Whether workers are there for all that a request needs. */
function isServable(model: DiscoveredModel): boolean {
  const { pools } = model;
  const has = (role: WorkerRole) => (pools.get(role)?.size ?? 0) > 0;
  return has('aggregated') || (has('prefill') && has('decode'));
}
