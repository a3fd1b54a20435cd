import { type Link, Links, type LinkUse } from './link.js';
import { type BlockNames, TierStore } from './store.js';

/** Sizes and speeds of the lower tiers. Bandwidths in 10^9 bytes a second, 0 for no limit. */
export interface TierOptions {
  /** Host blocks of one rank. */
  g2Blocks: number;
  /** Blocks on disks that all workers share; 0 without. */
  g3Blocks: number;
  /** Whether there is an object store without bounds, shared by all workers. */
  g4: boolean;
  batchBlocks: number;
  blockBytes: number;
  g1ToG2: number;
  g2ToG1: number;
  g2ToG3: number;
  g3ToG2: number;
  g2ToG4: number;
  g4ToG2: number;
}

/** What the lower tiers did in a run. */
export interface TierUse {
  /** Blocks that requests got back, by the tier that had them. */
  onboardedBlocks: { g2: number; g3: number; g4: number };
  offloadedBlocks: number;
  /** Evicted blocks that were not offloaded: known to G2 already, or without room there. */
  knownBlocks: number;
  crowdedOutBlocks: number;
  copiedBlocks: { g3: number; g4: number };
  links: Record<string, LinkUse>;
}

/** Blocks, and names of those on their way. */
interface DiskTier {
  store: TierStore;
  arriving: Set<number>;
  write: Link;
  read: Link;
}

interface ObjectTier {
  objects: Set<number>;
  arriving: Set<number>;
  write: Link;
  read: Link;
}

/** The tiers that all ranks share, and the clock of all links. */
export class SharedTiers {
  readonly links = new Links();
  readonly g3: DiskTier | undefined;
  readonly g4: ObjectTier | undefined;
  readonly use: TierUse = {
    onboardedBlocks: { g2: 0, g3: 0, g4: 0 },
    offloadedBlocks: 0,
    knownBlocks: 0,
    crowdedOutBlocks: 0,
    copiedBlocks: { g3: 0, g4: 0 },
    links: {},
  };

  constructor(
    options: TierOptions,
    private readonly names: BlockNames,
  ) {
    if (options.g3Blocks > 0)
      this.g3 = {
        store: new TierStore(options.g3Blocks, names),
        arriving: new Set(),
        write: this.addLink('g2_to_g3', options.g2ToG3),
        read: this.addLink('g3_to_g2', options.g3ToG2),
      };
    if (options.g4)
      this.g4 = {
        objects: new Set(),
        arriving: new Set(),
        write: this.addLink('g2_to_g4', options.g2ToG4),
        read: this.addLink('g4_to_g2', options.g4ToG2),
      };
  }

  /** Keeps an object for good, unless its content occurs once, so that nobody will ask for it. */
  keepObject(id: number): void {
    if (id < 0 || this.g4!.objects.has(id)) return;
    this.g4!.objects.add(id);
    this.names.retain(id);
  }

  /** Adds a link whose use is counted under a name, with that of others of this name. */
  addLink(name: string, gigabytesPerSecond: number): Link {
    this.use.links[name] ??= { bytes: 0, transfers: 0, busyMs: 0, queueMs: 0, maxQueueMs: 0 };
    return this.links.add(gigabytesPerSecond, this.use.links[name]);
  }
}
