import { randomBytes, randomUUID } from 'node:crypto';
import { QueueLimitError } from '../../../router/kv-router.js';
import { HangingSink } from '../../hanging-sink.js';
import type { EndKind, Prompt, Serving, Ticket, TokenSink } from '../../serving.js';
import { WireError, type WireValue } from '../codec/value.js';
import type { CallSink, FailureKind, Outgoing, RequestClient } from '../request-plane/client.js';
import { type Bootstrap, type GenerateCall, generateRequest, readOutput } from '../request-plane/generate.js';
import type { PlacedRequest, RemoteWorker, StartRequest, WorkerPool } from './worker-pool.js';

/** Workers that are tried for a request that none of them has begun. */
const MOST_TRIES = 3;

/** The workers of one model. */
interface ModelPools {
  /** Those that generate: of whole requests, or of requests whose prompt another worker computes. */
  generating(): WorkerPool | undefined;
  prefill(): WorkerPool | undefined;
}

export interface RemoteServingParts {
  model: string;
  pools: ModelPools;
  client: RequestClient;
  /** Ids that end an answer. */
  eosTokens: readonly number[];
  nowMs(): number;
}

/** Serves requests by workers elsewhere: finds one, asks it, hands on what it says. */
export class RemoteServing implements Serving {
  private readonly requests = new Map<Ticket, { request: RemoteRequest; sink: HangingSink }>();
  private nextTicket = 1;
  private readonly whenIdle: (() => void)[] = [];

  constructor(private readonly parts: RemoteServingParts) {}

  submit(prompt: Prompt, asker: TokenSink): Ticket {
    const ticket = this.nextTicket++;
    const sink = new HangingSink(asker);
    const request = new RemoteRequest(this.parts, prompt, {
      cached: (tokens) => sink.cached?.(ticket, tokens),
      token: (id) => sink.token(ticket, this.parts.nowMs(), id),
      ended: (why) => {
        this.requests.delete(ticket);
        sink.ended(ticket, why, this.parts.nowMs());
        this.noteIdle();
      },
    });
    this.requests.set(ticket, { request, sink });
    queueMicrotask(() => request.start());
    return ticket;
  }

  cancel(ticket: Ticket): void {
    this.requests.get(ticket)?.request.end('cancelled');
  }

  /** A request fails, as if its worker had broken down. */
  fail(ticket: Ticket): void {
    this.requests.get(ticket)?.request.end('failed');
  }

  /** Nothing of a request comes out before a time has gone by, as if its worker hung. */
  hang(ticket: Ticket, ms: number): void {
    this.requests.get(ticket)?.sink.hang(ms);
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle.push(resolve);
      this.noteIdle();
    });
  }

  private noteIdle(): void {
    if (this.requests.size > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}

interface RequestListener {
  cached(tokens: number): void;
  token(id: number): void;
  ended(why: EndKind): void;
}

/** The way of one request through one worker, or through a prefill worker and a decode worker. */
class RemoteRequest {
  private readonly id = randomUUID();
  private readonly placed: PlacedRequest[] = [];
  private readonly calls: Outgoing[] = [];
  private tokens = 0;
  private tries = 0;
  private isOver = false;

  constructor(
    private readonly parts: RemoteServingParts,
    private readonly prompt: Prompt,
    private readonly listener: RequestListener,
  ) {}

  start(): void {
    if (this.isOver) return;
    const { pools } = this.parts;
    const generating = pools.generating();
    const prefill = pools.prefill();
    this.tries++;
    if (!generating || generating.size === 0) this.end('failed');
    else if (!prefill || prefill.size === 0) this.generate(generating, {});
    else this.prefillFirst(prefill, generating);
  }

  // ---- Legs --------------------------------------------------------------------------------------------------

  private prefillFirst(prefill: WorkerPool, decode: WorkerPool): void {
    const placed = this.place(prefill, (worker, rank, cached) => {
      this.listener.cached(cached);
      const { bootstrap: where } = worker;
      const prefillWorker = { id: worker.instance.instanceId, rank };
      if (!where) {
        // The prompt is computed to the end first, and what comes of it goes to the decode worker.
        this.call(worker, { rank, prefillWorker, maxTokens: 1 }, this.prefillSink(placed!, decode));
        return;
      }
      const room = randomBytes(8).readBigUInt64BE(0);
      const bootstrap = { ...where, room, handoffId: randomUUID() };
      this.call(
        worker,
        { rank, prefillWorker, maxTokens: 1, bootstrap },
        this.prefillSink(placed!, undefined),
      );
      this.generate(decode, { bootstrap });
    });
  }

  /** Finds a worker; a request that the router does not take is over. */
  private place(pool: WorkerPool, start: StartRequest): PlacedRequest | undefined {
    try {
      const placed = pool.place(this.prompt, start);
      this.placed.push(placed);
      return placed;
    } catch (error) {
      if (!(error instanceof QueueLimitError)) throw error;
      this.end('rejected');
      return undefined;
    }
  }

  /** @param decode goes on with the result, where the workers do not meet themselves */
  private prefillSink(placed: PlacedRequest, decode: WorkerPool | undefined): CallSink {
    let result: WireValue | undefined;
    return {
      item: (value) => {
        const { disaggregatedParams, finish } = readOutput(value);
        if (typeof finish === 'object') this.end('failed');
        if (disaggregatedParams !== undefined) result = disaggregatedParams;
        placed.firstToken();
      },
      ended: () => {
        placed.over();
        if (decode && !this.isOver)
          this.generate(decode, { prefillResult: new Map([['disaggregated_params', result ?? null]]) });
      },
      failed: (kind) => this.failed(kind),
    };
  }

  private generate(pool: WorkerPool, extra: { bootstrap?: Bootstrap; prefillResult?: WireValue }): void {
    const isWhole = extra.bootstrap === undefined && extra.prefillResult === undefined;
    const placed = this.place(pool, (worker, rank, cached) => {
      if (isWhole) this.listener.cached(cached);
      const call = { rank, maxTokens: this.prompt.outputTokens, ...extra };
      this.call(worker, call, {
        item: (value) => this.hear(value, placed!),
        ended: () => this.end('completed'),
        failed: (kind) => this.failed(kind),
      });
    });
  }

  private call(
    worker: RemoteWorker,
    call: Omit<GenerateCall, 'model' | 'tokens' | 'eosTokens'>,
    sink: CallSink,
  ) {
    const { model, eosTokens, client } = this.parts;
    const { tokens } = this.prompt;
    // A leg may begin long after the request, when a router lets it go.
    queueMicrotask(() => {
      if (this.isOver) return;
      const outgoing = client.call(
        worker.instance,
        (codec) => generateRequest({ ...call, model, tokens, eosTokens }, codec),
        this.guarded(sink),
        this.id,
      );
      this.calls.push(outgoing);
    });
  }

  /** What workers say that is not what they should say ends the request. */
  private guarded(sink: CallSink): CallSink {
    return {
      ...sink,
      item: (value) => {
        if (this.isOver) return;
        try {
          sink.item(value);
        } catch (error) {
          if (!(error instanceof WireError) && (error as Error).name !== 'StreamError') throw error;
          this.end('failed');
        }
      },
    };
  }

  // ---- What comes back ---------------------------------------------------------------------------------------

  private hear(value: WireValue, placed: PlacedRequest): void {
    const { tokens, finish } = readOutput(value);
    for (const id of tokens) {
      placed.firstToken();
      if (this.parts.eosTokens.includes(id)) {
        this.end('completed');
        return;
      }
      this.tokens++;
      this.listener.token(id);
      if (this.isOver) return;
    }
    if (typeof finish === 'object') this.end('failed');
  }

  /** What no worker has begun may be tried with another one. */
  private failed(kind: FailureKind): void {
    if (this.isOver) return;
    if (this.tokens > 0 || kind === 'broken' || this.tries >= MOST_TRIES) {
      this.end(kind === 'overloaded' ? 'rejected' : 'failed');
      return;
    }
    this.letGo();
    this.start();
  }

  private letGo(): void {
    for (const call of this.calls.splice(0)) call.cancel();
    for (const placed of this.placed.splice(0)) placed.over();
  }

  end(why: EndKind): void {
    if (this.isOver) return;
    this.isOver = true;
    this.letGo();
    this.listener.ended(why);
  }
}
