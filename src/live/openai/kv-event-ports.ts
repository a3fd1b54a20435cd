import { InputError } from '../../config/input-error.js';
import type { CacheListener } from '../../router/router.js';
import type { CacheWatch } from '../../simulation/engine-pool.js';
import type { StageName, StageView } from '../../simulation/views.js';
import { BlockHashes } from '../block-hashes.js';
import { VllmPublisher } from '../dynamo/event-plane/vllm-publisher.js';
import { RawEventPort } from '../dynamo/event-plane/zmq.js';

/** Where the KV events of a fleet are told. */
export interface KvEventSettings {
  /** Of the first rank; those that come later get the ones after it. 0 for any that is free, for each rank. */
  port: number;
  /** Likewise, where what was missed can be had; undefined for nowhere. */
  replayPort: number | undefined;
  topic: string;
}

/** Where the KV events of a rank are told. */
export interface KvEventPlace {
  stage: StageName;
  worker: number;
  rank: number;
  endpoint: string;
  replay_endpoint: string | null;
}

interface RankPort {
  stage: StageName;
  worker: number;
  rank: number;
  publisher: VllmPublisher;
  /** Undefined until it is open, and where it could not be opened. */
  port: RawEventPort | undefined;
  opening: Promise<RawEventPort>;
}

/** How often the ports of workers that are gone are looked for. */
const SWEEP_MS = 1000;

/** The KV events of every rank of a fleet, as vLLM publishes them: over ZMQ, each rank on a port of its own. */
export class KvEventPorts {
  private ranks: RankPort[] = [];
  private opened = 0;
  private sweep: NodeJS.Timeout | undefined;

  private constructor(
    private readonly settings: KvEventSettings,
    private readonly host: string,
    private readonly hashes: readonly BlockHashes[],
    private readonly unixMs: () => number,
  ) {}

  /** @param host address to listen on */
  static async create(settings: KvEventSettings, host: string, unixMs: () => number): Promise<KvEventPorts> {
    const hashes = [await BlockHashes.create(true), await BlockHashes.create(true)];
    return new KvEventPorts(settings, host === 'localhost' ? '127.0.0.1' : host, hashes, unixMs);
  }

  /** Watches the caches of a stage, whose place among those of the fleet is `index`. */
  watch(index: number, stage: StageName, ranksPerWorker: number, blockTokens: number): CacheWatch {
    const hashes = this.hashes[index];
    return {
      namer: hashes,
      listenerOf: (rank) => {
        const worker = Math.floor(rank / ranksPerWorker);
        return this.open(stage, worker, rank % ranksPerWorker, hashes, blockTokens);
      },
    };
  }

  private open(
    stage: StageName,
    worker: number,
    rank: number,
    hashes: BlockHashes,
    blockTokens: number,
  ): CacheListener {
    const opening = this.bind();
    const send = (batch: Buffer) => {
      opening.then((port) => port.send(batch)).catch(() => {});
    };
    const publisher = new VllmPublisher(rank, blockTokens, hashes, send, this.unixMs);
    const entry: RankPort = { stage, worker, rank, publisher, port: undefined, opening };
    this.ranks.push(entry);
    opening
      .then((port) => {
        entry.port = port;
      })
      .catch(() => {});
    return turnListener(publisher);
  }

  private bind(): Promise<RawEventPort> {
    const { settings, host } = this;
    const place = this.opened++;
    const shifted = (port: number) => (port === 0 ? 0 : port + place);
    const { port, replayPort, topic } = settings;
    return RawEventPort.bind({
      host,
      topic,
      port: shifted(port),
      replayPort: replayPort === undefined ? undefined : shifted(replayPort),
    });
  }

  /** Waits until the ports of all ranks are open. @throws {InputError} for one that cannot be */
  async ready(stages: () => readonly StageView[]): Promise<void> {
    for (const { opening } of this.ranks) {
      try {
        await opening;
      } catch (error) {
        await this.close();
        throw new InputError(`KV events: cannot listen on ${this.host}: ${(error as Error).message}`);
      }
    }
    this.sweep = setInterval(() => this.retain(stages()), SWEEP_MS).unref();
  }

  /** Where events are told, as far as ports could be opened. */
  get places(): KvEventPlace[] {
    return this.ranks.flatMap(({ stage, worker, rank, port }) =>
      port
        ? [{ stage, worker, rank, endpoint: port.endpoint, replay_endpoint: port.replayEndpoint ?? null }]
        : [],
    );
  }

  /** Closes the ports of workers that are gone, whose caches are empty from then on. */
  private retain(stages: readonly StageView[]): void {
    const isThere = ({ stage, worker }: RankPort) =>
      stages.some(({ name, workers }) => name === stage && workers.some(({ id }) => id === worker));
    const gone = this.ranks.filter((rank) => !isThere(rank));
    if (gone.length === 0) return;
    this.ranks = this.ranks.filter(isThere);
    for (const { publisher, opening } of gone) {
      publisher.cleared();
      publisher.publish();
      opening.then((port) => port.close()).catch(() => {});
    }
  }

  async close(): Promise<void> {
    clearInterval(this.sweep);
    await Promise.allSettled(this.ranks.map(async ({ opening }) => (await opening).close()));
  }
}

/** Publishes what is told in one turn as one batch. */
function turnListener(publisher: VllmPublisher): CacheListener {
  let isDue = false;
  const note = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      publisher.publish();
    });
  };
  return {
    // Content that occurs once, whose identity is negative, is no news.
    stored: (id) => {
      if (id < 0) return;
      publisher.stored(id);
      note();
    },
    removed: (id) => {
      if (id < 0) return;
      publisher.removed(id);
      note();
    },
  };
}
