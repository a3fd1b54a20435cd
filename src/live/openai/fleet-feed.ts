import type { ServerResponse } from 'node:http';
import type { FleetSample } from '../../report/picture-types.js';
import type { AnswerWatch } from './answering.js';
import { ApiError } from './api-error.js';
import { type Capacity, capacityOf } from './capacity.js';
import type { Choice } from './generation.js';

/** Between two samples, in milliseconds. */
const SAMPLE_MS = 500;
/** Pages that may look on at once. */
const MOST_LISTENERS = 32;
/** Bytes that may wait for a page that does not read. */
const MOST_UNREAD_BYTES = 1 << 20;

interface FeedParts {
  fleet: Capacity;
  /** What workers did so far, by the names of the report's sections. */
  sections(): Record<string, unknown>;
  nowMs(): number;
}

/** Tells pages what a fleet does: a sample every half second, as server-sent events, while somebody listens. */
export class FleetFeed implements AnswerWatch {
  private readonly listeners = new Set<ServerResponse>();
  private timer: NodeJS.Timeout | undefined;
  private sinceMs = 0;
  private ttftMs: number[] = [];
  private gapSumMs = 0;
  private gaps = 0;
  private tokens = 0;
  private endedCount = 0;

  constructor(private readonly parts: FeedParts) {}

  begun(): void {
    // Counted by its first token.
  }

  piece(choice: Choice): void {
    if (this.listeners.size === 0) return;
    this.tokens++;
    if (choice.tokens === 1) this.ttftMs.push(choice.gapMs);
    else {
      this.gapSumMs += choice.gapMs;
      this.gaps++;
    }
  }

  ended(): void {
    this.endedCount++;
  }

  /** Sends samples to a page until it goes away. @throws {ApiError} 503 for more pages than may look on */
  listen(page: ServerResponse): void {
    if (this.listeners.size >= MOST_LISTENERS) throw new ApiError(503, 'too many pages look on already');
    page.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    page.flushHeaders();
    page.on('error', () => undefined);
    page.on('close', () => this.leave(page));
    if (this.listeners.size === 0) this.restart();
    this.listeners.add(page);
    this.timer ??= setInterval(this.send, SAMPLE_MS);
    this.send();
  }

  /** Ends what pages hear. */
  close(): void {
    for (const page of [...this.listeners]) page.end();
    clearInterval(this.timer);
  }

  private leave(page: ServerResponse): void {
    this.listeners.delete(page);
    if (this.listeners.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private restart(): void {
    this.sinceMs = this.parts.nowMs();
    this.ttftMs = [];
    this.gapSumMs = 0;
    this.gaps = 0;
    this.tokens = 0;
    this.endedCount = 0;
  }

  private readonly send = (): void => {
    const frame = `data: ${JSON.stringify(this.sample())}\n\n`;
    this.restart();
    for (const page of this.listeners) {
      if (page.writableLength > MOST_UNREAD_BYTES) page.destroy();
      else page.write(frame);
    }
  };

  private sample(): FleetSample {
    const { parts, gaps } = this;
    const atMs = parts.nowMs();
    const seconds = Math.max(1e-3, (atMs - this.sinceMs) / 1000);
    const ttft = this.ttftMs.sort((a, b) => a - b);
    const { stages } = capacityOf(parts.fleet);
    return {
      at_ms: atMs,
      stages,
      work: parts.sections() as FleetSample['work'],
      tokens_per_second: this.tokens / seconds,
      ended_per_second: this.endedCount / seconds,
      ttft_p50_ms: ttft.length > 0 ? ttft[ttft.length >> 1] : null,
      ttft_max_ms: ttft.at(-1) ?? null,
      itl_ms: gaps > 0 ? this.gapSumMs / gaps : null,
    };
  }
}
