import type { BlockKeeper, CacheListener, Placement, RoutedRequest, Router } from './router.js';

interface Event {
  target: number;
  id: number;
  isStored: boolean;
  visibleMs: number;
}

/**
 * A router that hears of what targets cache only some time after it happened. What has become known is applied before
 * every placement; nothing else depends on it.
 */
export class LaggedRouter implements Router {
  readonly listens = true;
  /** In order of time; those before `next` are applied. */
  private events: Event[] = [];
  private next = 0;

  constructor(
    private readonly router: Router,
    private readonly lagMs: number,
    private readonly names: BlockKeeper,
  ) {}

  get use() {
    return this.router.use;
  }

  get heldRequests(): number {
    return this.router.heldRequests;
  }

  addTarget(target: number): void {
    this.router.addTarget(target);
  }

  drainTarget(target: number): void {
    this.router.drainTarget(target);
  }

  /** What is still to be heard of a target that is gone is not heard any more. */
  removeTarget(target: number): void {
    this.router.removeTarget(target);
    const left = this.events.slice(this.next);
    this.next = 0;
    this.events = left.filter((event) => event.target !== target);
    for (const event of left) if (event.target === target) this.forget(event);
  }

  topologySettled(nowMs: number): Placement[] {
    this.applyUntil(nowMs);
    return this.router.topologySettled(nowMs);
  }

  listenersOf(target: number): { gpu: CacheListener; host: CacheListener } | undefined {
    const own = this.router.listenersOf(target);
    if (!own) return undefined;
    let visibleMs = 0;
    const note = (id: number, isStored: boolean) => {
      this.names.retain(id);
      this.events.push({ target, id, isStored, visibleMs });
    };
    return {
      gpu: {
        begin: (nowMs) => {
          this.applyUntil(nowMs);
          visibleMs = nowMs + this.lagMs;
        },
        stored: (id) => note(id, true),
        removed: (id) => note(id, false),
      },
      host: own.host,
    };
  }

  private applyUntil(nowMs: number): void {
    const { events } = this;
    while (this.next < events.length && events[this.next].visibleMs <= nowMs) {
      const event = events[this.next++];
      const { gpu } = this.router.listenersOf(event.target)!;
      if (event.isStored) gpu.stored(event.id);
      else gpu.removed(event.id);
      this.forget(event);
    }
    if (this.next < events.length / 2) return;
    events.splice(0, this.next);
    this.next = 0;
  }

  private forget({ id }: Event): void {
    this.names.release(id);
  }

  place(request: RoutedRequest, ids: Int32Array, idCount: number, nowMs: number): Placement | undefined {
    this.applyUntil(nowMs);
    return this.router.place(request, ids, idCount, nowMs);
  }

  prefillCompleted(slot: number, nowMs: number): readonly Placement[] {
    this.applyUntil(nowMs);
    return this.router.prefillCompleted(slot, nowMs);
  }

  ended(slot: number, nowMs: number): readonly Placement[] {
    this.applyUntil(nowMs);
    return this.router.ended(slot, nowMs);
  }
}
