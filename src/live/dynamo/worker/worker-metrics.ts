import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { namesOf } from '../../openai/metric-names.js';
import type { EndpointName } from '../discovery/names.js';
import type { Call, Handler } from '../request-plane/call-home.js';
import type { Rank } from './rank.js';

/** Upper bounds of the durations of requests, in seconds. */
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];
const SERVED_BY = ['dynamo_namespace', 'dynamo_component', 'dynamo_endpoint', 'worker_id'];

/** Measures one request from its arrival on. */
export interface RequestMeter {
  token(): void;
  ended(): void;
}

/** The metrics of the workers of a process, under the names of their engine and of Dynamo's components. */
export class WorkerMetrics {
  private readonly registry = new Registry();
  private readonly ranks: { rank: Rank; labels: Record<string, string> }[] = [];
  private readonly ttft: Histogram;
  private readonly itl: Histogram;
  private readonly e2e: Histogram;
  private readonly requests: Counter;
  private readonly errors: Counter;
  private readonly cancellations: Counter;
  private readonly inFlight: Gauge;
  private readonly durations: Histogram;

  constructor(
    engine: string,
    private readonly model: string,
    private readonly nowMs: () => number,
  ) {
    const { registry } = this;
    const registers = [registry];
    const names = namesOf(engine);
    const labelNames = ['model_name', 'engine'];
    const histogram = (name: string, buckets: number[], labels = labelNames) =>
      new Histogram({ name, help: name, buckets, labelNames: labels, registers });
    this.ttft = histogram(names.ttft, names.buckets.ttft);
    this.itl = histogram(names.itl, names.buckets.itl);
    this.e2e = histogram(names.e2e, names.buckets.e2e);
    this.gauge(names.running, ({ core }) => core.requestCount - core.waitingCount);
    this.gauge(names.waiting, ({ core }) => core.waitingCount);
    for (const name of names.kvUse)
      this.gauge(name, ({ core }) => core.cache.activeBlocks / core.cache.blocks);
    this.gauge(names.preemptions, ({ core }) => core.load.preemptions);
    const counter = (name: string) =>
      new Counter({ name: `dynamo_component_${name}`, help: name, labelNames: SERVED_BY, registers });
    this.requests = counter('requests_total');
    this.errors = counter('errors_total');
    this.cancellations = counter('cancellation_total');
    this.inFlight = new Gauge({
      name: 'dynamo_component_inflight_requests',
      help: 'requests that are being served',
      labelNames: SERVED_BY,
      registers,
    });
    this.durations = histogram('dynamo_component_request_duration_seconds', DURATIONS, SERVED_BY);
    const uptime: Gauge = new Gauge({
      name: 'dynamo_component_uptime_seconds',
      help: 'time since the process started',
      registers,
      collect: () => {
        uptime.set(nowMs() / 1000);
      },
    });
  }

  private gauge(name: string, read: (rank: Rank) => number): void {
    const gauge = new Gauge({
      name,
      help: name,
      labelNames: ['model_name', 'engine', 'worker_id'],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const { rank, labels } of this.ranks) gauge.set(labels, read(rank));
      },
    });
  }

  add(workerId: bigint, ranks: readonly Rank[]): void {
    for (const [index, rank] of ranks.entries())
      this.ranks.push({
        rank,
        labels: { model_name: this.model, engine: String(index), worker_id: workerId.toString(16) },
      });
  }

  /** Begins to measure a request on a rank. */
  meter(rank: number): RequestMeter {
    const labels = { model_name: this.model, engine: String(rank) };
    const startMs = this.nowMs();
    let lastMs = startMs;
    let tokens = 0;
    return {
      token: () => {
        const nowMs = this.nowMs();
        (tokens++ === 0 ? this.ttft : this.itl).observe(labels, (nowMs - lastMs) / 1000);
        lastMs = nowMs;
      },
      ended: () => this.e2e.observe(labels, (this.nowMs() - startMs) / 1000),
    };
  }

  /** Counts what comes to an endpoint. */
  counted(name: EndpointName, workerId: bigint, handler: Handler): Handler {
    const labels = {
      dynamo_namespace: name.namespace,
      dynamo_component: name.component,
      dynamo_endpoint: name.endpoint,
      worker_id: workerId.toString(16),
    };
    return (call) => {
      const startMs = this.nowMs();
      this.requests.inc(labels);
      this.inFlight.inc(labels);
      const over = () => {
        this.inFlight.dec(labels);
        this.durations.observe(labels, (this.nowMs() - startMs) / 1000);
      };
      handler(
        new CountedCall(call, {
          ended: over,
          refused: () => {
            this.errors.inc(labels);
            over();
          },
          cancelled: () => {
            this.cancellations.inc(labels);
            over();
          },
        }),
      );
    };
  }

  async text(): Promise<{ type: string; text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }
}

interface CallWatch {
  ended(): void;
  refused(): void;
  cancelled(): void;
}

/** A call whose end is told. */
class CountedCall implements Call {
  readonly accept = (): void => this.call.accept();
  readonly send: Call['send'] = (item) => this.call.send(item);

  constructor(
    private readonly call: Call,
    private readonly watch: CallWatch,
  ) {}

  get id(): string {
    return this.call.id;
  }

  get value(): Call['value'] {
    return this.call.value;
  }

  set onCancel(listener: () => void) {
    this.call.onCancel = () => {
      this.watch.cancelled();
      listener();
    };
  }

  refuse(reason: string): void {
    this.call.refuse(reason);
    this.watch.refused();
  }

  end(): void {
    this.call.end();
    this.watch.ended();
  }

  abort(): void {
    this.call.abort();
    this.watch.ended();
  }
}
