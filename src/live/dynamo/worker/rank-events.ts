import { noPass, type PassMetrics } from '../../../engine/pass-meter.js';
import type { KvPublisher } from '../event-plane/kv-publisher.js';
import { encodeActiveLoad, encodePassReport } from '../event-plane/metrics.js';
import type { Publisher } from '../event-plane/plane.js';
import type { RankWatch } from './rank.js';

/** The load is told so long after it changed, so that changes at one time are told once. */
const SETTLE_MS = 1;
/** How often an idle rank says that it is there, and every rank what it has in use: that also ends an overload. */
const HEARTBEAT_MS = 1000;

const IDLE = noPass(0, 0);

/** Tells the deployment what a rank does. */
export class RankEvents implements RankWatch {
  private passes = 0;
  private passesAtHeartbeat = 0;
  private usedBlocks = 0;
  private toldBlocks = -1;
  private settling: NodeJS.Timeout | undefined;
  private readonly heartbeat: NodeJS.Timeout;

  /** @param kv undefined where nobody hears of the cache */
  constructor(
    private readonly workerId: bigint,
    private readonly rank: number,
    private readonly kv: KvPublisher | undefined,
    private readonly load: Publisher,
    private readonly reports: Publisher,
  ) {
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  stored(node: number): void {
    this.kv?.stored(node);
  }

  removed(node: number): void {
    this.kv?.removed(node);
  }

  published(): void {
    this.kv?.publish();
  }

  passEnded(pass: PassMetrics): void {
    this.report(pass);
  }

  loaded(activeBlocks: number): void {
    this.usedBlocks = activeBlocks;
    this.settling ??= setTimeout(() => {
      this.settling = undefined;
      if (this.usedBlocks !== this.toldBlocks) this.tellLoad();
    }, SETTLE_MS);
  }

  private tellLoad(): void {
    const { workerId, rank, usedBlocks } = this;
    this.toldBlocks = usedBlocks;
    this.load.publish(encodeActiveLoad({ workerId, rank, usedBlocks }));
  }

  private beat(): void {
    if (this.passes === this.passesAtHeartbeat) this.report(IDLE);
    this.passesAtHeartbeat = this.passes;
    this.tellLoad();
  }

  /** Variances are not measured and count as 0. */
  private report(pass: PassMetrics): void {
    const { workerId, rank } = this;
    this.reports.publish(
      encodePassReport({
        workerId,
        rank,
        counter: ++this.passes,
        wallSeconds: (pass.endMs - pass.startMs) / 1000,
        scheduled: {
          prefillRequests: pass.prefillRequests,
          prefillTokens: pass.prefillTokens,
          prefillVariance: 0,
          prefillKvTokens: pass.prefillCachedTokens,
          decodeRequests: pass.decodeRequests,
          decodeKvTokens: pass.decodeTokens,
          decodeVariance: 0,
        },
        queued: {
          prefillRequests: pass.queuedPrefillRequests,
          prefillTokens: pass.queuedPrefillTokens,
          prefillVariance: 0,
          decodeRequests: pass.queuedDecodeRequests,
          decodeKvTokens: pass.queuedDecodeTokens,
          decodeVariance: 0,
        },
      }),
    );
  }

  stop(): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.settling);
  }
}
