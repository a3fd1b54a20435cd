import type { DestinationHost } from '../destinations.js';
import type { BlockPool } from '../kv/block-pool.js';
import { type SchedulerRequests, WAITING } from '../requests.js';
import type { Admission } from './admission.js';
import type { Holdings } from './holdings.js';
import type { VllmOptions } from './options.js';
import type { WaitingLine } from './waiting-line.js';

/** What a scheduler of vLLM or TensorRT-LLM does for requests whose prompt is computed elsewhere. */
export class VllmDestinationHost implements DestinationHost {
  constructor(
    private readonly options: VllmOptions,
    private readonly pool: BlockPool,
    private readonly requests: SchedulerRequests,
    private readonly holdings: Holdings,
    private readonly admission: Admission,
    private readonly waiting: WaitingLine,
    readonly hasRoom: () => boolean,
  ) {}

  fits(slot: number): boolean {
    const { options, requests, admission, waiting } = this;
    waiting.enter(slot);
    admission.clampOutput(slot);
    const { maxModelTokens, rules } = options;
    if (rules.refusesAtOnce && maxModelTokens !== undefined && requests.promptTokens[slot] >= maxModelTokens)
      return false;
    if (admission.outgrows(slot)) return false;
    const growth = this.keepsRoom && rules.refusesAtOnce ? this.holdings.growth(slot) : 0;
    return this.promptBlocks(slot) + growth <= options.gpuBlocks;
  }

  /** Whether a request gets its room up to its last token. */
  private get keepsRoom(): boolean {
    return this.options.policy === 'trtllm';
  }

  promptTokens(slot: number): number {
    return this.requests.promptTokens[slot];
  }

  private promptBlocks(slot: number): number {
    return Math.ceil(this.requests.promptTokens[slot] / this.options.blockTokens);
  }

  reserve(slot: number): number {
    const { requests, holdings, options, admission } = this;
    const { keepsRoom } = this;
    const reuses = !keepsRoom || options.rules.destinationsReuse;
    const hits = reuses ? admission.leadingHits(slot) : 0;
    const activeHits = reuses ? this.pool.activeHits : 0;
    const growth = keepsRoom ? holdings.growth(slot) : 0;
    const needed = this.promptBlocks(slot) + growth - activeHits;
    if (keepsRoom && needed > admission.uncommittedBlocks) return -1;
    if (!holdings.allocate(slot, requests.promptTokens[slot], hits)) return -1;
    holdings.promised += growth;
    return (this.promptBlocks(slot) - hits) * options.blockTokens;
  }

  giveUp(slot: number): void {
    const { requests, holdings, options } = this;
    requests.computed[slot] = 0;
    if (options.policy === 'trtllm') holdings.promised -= holdings.growth(slot);
    holdings.free(slot);
  }

  activate(slot: number): boolean {
    const { requests, pool, holdings } = this;
    const activeBefore = pool.active;
    requests.computed[slot] = requests.promptTokens[slot];
    requests.status[slot] = WAITING;
    holdings.publishComputed(slot, 0, requests.promptTokens[slot]);
    this.options.rules.activate(this.waiting, slot);
    return pool.active < activeBefore;
  }
}
