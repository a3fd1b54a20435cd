import type { Serving } from '../../serving.js';
import type { WireMap } from '../codec/value.js';
import type { EndpointName } from '../discovery/names.js';
import type { DiscoveryRecord } from '../discovery/records.js';
import type { Registry } from '../discovery/registry.js';
import type { RequestPlane } from '../request-plane/plane.js';
import { GenerateEndpoint, type GenerateOptions } from './generate.js';

/** What connects a worker with the others of its deployment. */
export interface WorkerPlanes {
  registry: Registry;
  requests: RequestPlane;
}

export interface WorkerOptions extends GenerateOptions {
  name: EndpointName;
  card: WireMap;
  ranks: readonly Serving[];
}

const CODEC = 'msgpack';
/** What the reference's mocker says that it runs on. */
const DEVICE = 'cuda';

/** A simulated worker as a member of a deployment: found by frontends, called by them. */
export class Worker {
  private readonly records: DiscoveryRecord[] = [];

  private constructor(
    private readonly planes: WorkerPlanes,
    private readonly options: WorkerOptions,
  ) {}

  get id(): bigint {
    return this.planes.registry.instanceId;
  }

  static async start(planes: WorkerPlanes, options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(planes, options);
    await worker.register();
    return worker;
  }

  private async register(): Promise<void> {
    const { name, card } = this.options;
    const { registry, requests } = this.planes;
    const instanceId = this.id;
    const transport = await requests.serve(name, instanceId, new GenerateEndpoint(this.options).handle);
    await this.add({ type: 'Model', model: { ...name, instanceId, card } });
    await this.add({
      type: 'Endpoint',
      instance: { ...name, instanceId, transport, deviceType: DEVICE, codec: CODEC },
    });
    void registry;
  }

  private async add(record: DiscoveryRecord): Promise<void> {
    await this.planes.registry.register(record);
    this.records.unshift(record);
  }

  /** Leaves the deployment: nobody finds it any more, then what it serves is served to the end. */
  async stop(): Promise<void> {
    const { registry, requests } = this.planes;
    for (const record of this.records) await registry.unregister(record);
    await requests.withdraw(this.options.name, this.id);
    await Promise.all(this.options.ranks.map((serving) => serving.drain()));
    await registry.close();
  }
}
