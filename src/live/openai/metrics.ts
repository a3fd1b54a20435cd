import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RankView, StageView } from '../../simulation/views.js';
import type { AnswerWatch } from './answering.js';
import type { Choice } from './generation.js';
import { COUNT_BUCKETS, type EngineNames, FRONTEND_BUCKETS, namesOf, TOKEN_BUCKETS } from './metric-names.js';
import type { ServedModel } from './model.js';

export interface MetricsParts {
  /** Type of the engines, as their metrics are named after it. */
  engine: string;
  model: ServedModel;
  /** Of one rank. */
  blockTokens: number;
  blocks: number;
  maxSequences: number;
  stages(): readonly StageView[];
  nowSeconds(): number;
}

const FINISHES: Record<string, string> = { stop: 'stop', length: 'length', tool_calls: 'stop' };

/** What a dashboard, an autoscaler or a gateway scrapes: under the names of the engines, and of Dynamo's frontend. */
export class LiveMetrics implements AnswerWatch {
  private readonly registry = new Registry();
  private readonly names: EngineNames;
  private readonly histograms = new Map<string, Histogram>();
  private readonly counters = new Map<string, Counter>();
  private readonly inService = new Map<string, number>();
  private readonly startSeconds: number;

  constructor(private readonly parts: MetricsParts) {
    this.names = namesOf(parts.engine);
    this.startSeconds = parts.nowSeconds();
    this.defineEngine();
    this.defineFrontend();
  }

  async scrape(): Promise<{ type: string; text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }

  // ---- Definitions -------------------------------------------------------------------------------------------

  private histogram(
    name: string,
    help: string,
    buckets: number[],
    labelNames: string[] = ['model_name', 'engine'],
  ) {
    this.histograms.set(name, new Histogram({ name, help, buckets, labelNames, registers: [this.registry] }));
  }

  private counter(name: string, help: string, labelNames: string[] = ['model_name', 'engine']) {
    this.counters.set(name, new Counter({ name, help, labelNames, registers: [this.registry] }));
  }

  private gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  }

  private defineEngine(): void {
    const { names, parts } = this;
    const { buckets } = names;
    this.histogram(names.ttft, 'Time to first token', buckets.ttft);
    this.histogram(names.itl, 'Time between tokens', buckets.itl);
    for (const name of names.tpot)
      this.histogram(name, 'Mean time between the tokens of a request', buckets.itl);
    this.histogram(names.e2e, 'Time from request to last token', buckets.e2e);
    this.histogram(names.queue, 'Time in the queue', buckets.e2e);
    this.histogram(names.prefill, 'Time from admission to first token', buckets.e2e);
    this.histogram(names.decode, 'Time from first to last token', buckets.e2e);
    this.histogram(names.inference, 'Time from admission to last token', buckets.e2e);
    this.histogram(names.promptLength, 'Prompt tokens of a request', TOKEN_BUCKETS);
    this.histogram(names.outputLength, 'Generated tokens of a request', TOKEN_BUCKETS);
    this.counter(names.promptTokens, 'Prompt tokens');
    this.counter(names.outputTokens, 'Generated tokens');
    this.counter(names.prefixQueries, 'Prompt tokens looked up in the prefix cache');
    this.counter(names.prefixHits, 'Prompt tokens found in the prefix cache');
    this.counter(names.requests, 'Requests that ended', ['model_name', 'engine', 'finished_reason']);
    this.defineRankGauges();
    if (parts.engine === 'sglang') this.defineSglang();
    else this.defineVllm(parts.engine);
  }

  private defineRankGauges(): void {
    const { names, parts } = this;
    const perRank = (name: string, help: string, value: (rank: RankView) => number) =>
      this.gauge(name, help, ['model_name', 'engine'], (gauge) => {
        const model_name = parts.model.settings.name;
        for (const [engine, rank] of this.ranks().entries()) gauge.set({ model_name, engine }, value(rank));
      });
    perRank(names.running, 'Requests running', (rank) => rank.runningRequests);
    perRank(names.waiting, 'Requests waiting', (rank) => rank.waitingRequests);
    for (const name of names.kvUse)
      perRank(
        name,
        'Part of the KV blocks in use',
        (rank) => rank.cache.activeBlocks / Math.max(1, rank.cache.blocks),
      );
    perRank(names.preemptions, 'Preemptions', (rank) => rank.preemptions);
  }

  private ranks() {
    return this.workers().flatMap(({ ranks }) => ranks);
  }

  private workers() {
    return this.parts.stages().flatMap(({ workers }) => workers);
  }

  private defineVllm(engine: string): void {
    const { parts } = this;
    this.histogram(`${engine}:request_params_n`, 'Answers asked for', COUNT_BUCKETS);
    this.histogram(`${engine}:request_params_max_tokens`, 'Most tokens asked for', TOKEN_BUCKETS);
    this.histogram(`${engine}:request_max_num_generation_tokens`, 'Most generated tokens', TOKEN_BUCKETS);
    this.gauge(
      `${engine}:cache_config_info`,
      'Settings of the cache',
      ['block_size', 'num_gpu_blocks', 'engine'],
      (gauge) => {
        const settings = { block_size: parts.blockTokens, num_gpu_blocks: parts.blocks };
        for (const engine of this.ranks().keys()) gauge.set({ ...settings, engine }, 1);
      },
    );
    const labels = ['max_lora', 'running_lora_adapters', 'waiting_lora_adapters'];
    this.gauge(
      `${engine}:lora_requests_info`,
      'Adapters with requests, and when that was',
      labels,
      (gauge) => {
        const adapters = parts.model.adapterNames;
        const running = adapters.filter((name) => (this.inService.get(name) ?? 0) > 0).join(',');
        gauge.set(
          { max_lora: adapters.length, running_lora_adapters: running, waiting_lora_adapters: '' },
          parts.nowSeconds(),
        );
      },
    );
  }

  private defineSglang(): void {
    const { parts } = this;
    const model_name = parts.model.settings.name;
    const total = (value: (rank: RankView) => number) =>
      this.ranks().reduce((sum, rank) => sum + value(rank), 0);
    this.gauge('sglang:num_used_tokens', 'Tokens in the KV cache', ['model_name'], (gauge) =>
      gauge.set({ model_name }, total(({ cache }) => cache.activeBlocks) * parts.blockTokens),
    );
    this.gauge('sglang:max_total_num_tokens', 'Tokens that fit into the KV cache', ['model_name'], (gauge) =>
      gauge.set({ model_name }, total(({ cache }) => cache.blocks) * parts.blockTokens),
    );
    this.gauge(
      'sglang:cache_hit_rate',
      'Part of the prompt tokens found in the cache',
      ['model_name'],
      (gauge) => gauge.set({ model_name }, this.seenTokens === 0 ? 0 : this.hitTokens / this.seenTokens),
    );
  }

  private defineFrontend(): void {
    const { parts } = this;
    const name = (rest: string) => `dynamo_frontend_${rest}`;
    this.histogram(name('time_to_first_token_seconds'), 'Time to first token', FRONTEND_BUCKETS.ttft, [
      'model',
    ]);
    this.histogram(name('inter_token_latency_seconds'), 'Time between tokens', FRONTEND_BUCKETS.itl, [
      'model',
    ]);
    this.histogram(name('request_duration_seconds'), 'Time of a request', FRONTEND_BUCKETS.e2e, ['model']);
    this.histogram(name('input_sequence_tokens'), 'Prompt tokens of a request', TOKEN_BUCKETS, ['model']);
    this.histogram(name('output_sequence_tokens'), 'Generated tokens of a request', TOKEN_BUCKETS, ['model']);
    this.counter(name('requests_total'), 'Requests by outcome', ['endpoint', 'status']);
    this.counter(name('output_tokens_total'), 'Generated tokens', ['model']);
    this.counter(name('disconnected_clients'), 'Requests whose client went away', ['model']);
    this.counter('dynamo_component_requests_total', 'Requests of the workers', ['dynamo_component']);
    this.gauge(name('inflight_requests'), 'Requests in service', ['model'], (gauge) => {
      for (const [model, count] of this.inService) gauge.set({ model }, count);
    });
    this.gauge(name('queued_requests'), 'Requests that wait for their first token', ['model'], (gauge) =>
      gauge.set({ model: parts.model.settings.name }, this.waiting),
    );
    const constant = (rest: string, help: string, value: () => number) =>
      this.gauge(name(rest), help, ['model'], (gauge) =>
        gauge.set({ model: parts.model.settings.name }, value()),
      );
    constant('model_total_kv_blocks', 'KV blocks of a worker', () => parts.blocks);
    constant('model_max_num_seqs', 'Most sequences of a worker', () => parts.maxSequences);
    constant('model_kv_cache_block_size', 'Tokens of a KV block', () => parts.blockTokens);
    constant('model_context_length', 'Most tokens of a request', () => parts.model.settings.contextTokens);
    constant('model_workers', 'Workers', () => this.workers().length);
    this.gauge('dynamo_component_inflight_requests', 'Requests in service', ['dynamo_component'], (gauge) =>
      gauge.set({ dynamo_component: 'backend' }, this.total),
    );
    this.gauge('dynamo_component_uptime_seconds', 'Time since the start', [], (gauge) =>
      gauge.set(parts.nowSeconds() - this.startSeconds),
    );
  }

  // ---- Answers -----------------------------------------------------------------------------------------------

  /** Answers in service, and those of them without a token. */
  total = 0;
  waiting = 0;
  private seenTokens = 0;
  private hitTokens = 0;

  begun(choice: Choice): void {
    const { model } = choice;
    this.total++;
    this.waiting++;
    this.inService.set(model, (this.inService.get(model) ?? 0) + 1);
    this.counters.get('dynamo_component_requests_total')!.inc({ dynamo_component: 'backend' });
  }

  piece(choice: Choice): void {
    if (choice.told.reasoning + choice.told.tool + choice.told.text === 1) this.waiting--;
    const seconds = choice.gapMs / 1000;
    const { names } = this;
    const model_name = this.parts.model.settings.name;
    const which = choice.tokens === 1 ? 'ttft' : 'itl';
    this.histograms.get(names[which])!.observe({ model_name, engine: 0 }, seconds);
    const frontend = choice.tokens === 1 ? 'time_to_first_token_seconds' : 'inter_token_latency_seconds';
    this.histograms.get(`dynamo_frontend_${frontend}`)!.observe({ model: choice.model }, seconds);
  }

  /** An answer has ended, for its client. */
  ended(choice: Choice): void {
    const { model, told } = choice;
    if (told.reasoning + told.tool + told.text === 0) this.waiting--;
    this.total--;
    this.inService.set(model, this.inService.get(model)! - 1);
    if (choice.finish === 'cancelled')
      this.counters.get('dynamo_frontend_disconnected_clients')!.inc({ model });
    this.observeEnd(choice);
  }

  private observeEnd(choice: Choice): void {
    const { names, parts, histograms, counters } = this;
    const labels = { model_name: parts.model.settings.name, engine: 0 };
    const { model, tokens, prompt, outcome, finish } = choice;
    const seconds = (choice.lastMs - choice.startMs) / 1000;
    counters.get(names.requests)!.inc({ ...labels, finished_reason: FINISHES[finish ?? ''] ?? 'abort' });
    counters.get(names.promptTokens)!.inc(labels, prompt.length);
    counters.get(names.outputTokens)!.inc(labels, tokens);
    counters.get('dynamo_frontend_output_tokens_total')!.inc({ model }, tokens);
    histograms.get(names.promptLength)!.observe(labels, prompt.length);
    histograms.get(names.outputLength)!.observe(labels, tokens);
    histograms.get('dynamo_frontend_input_sequence_tokens')!.observe({ model }, prompt.length);
    histograms.get('dynamo_frontend_output_sequence_tokens')!.observe({ model }, tokens);
    histograms.get(`${parts.engine}:request_params_n`)?.observe(labels, choice.siblings);
    histograms.get(`${parts.engine}:request_params_max_tokens`)?.observe(labels, choice.mostTokens);
    histograms.get(`${parts.engine}:request_max_num_generation_tokens`)?.observe(labels, tokens);
    histograms.get(names.e2e)!.observe(labels, seconds);
    histograms.get('dynamo_frontend_request_duration_seconds')!.observe({ model }, seconds);
    if (!outcome) return;
    this.seenTokens += prompt.length;
    this.hitTokens += outcome.firstReusedTokens;
    counters.get(names.prefixQueries)!.inc(labels, prompt.length);
    counters.get(names.prefixHits)!.inc(labels, outcome.firstReusedTokens);
    const { arrivalMs, firstAdmitMs, firstTokenMs, lastTokenMs } = outcome;
    if (Number.isNaN(firstTokenMs)) return;
    histograms.get(names.queue)!.observe(labels, Math.max(0, firstAdmitMs - arrivalMs) / 1000);
    histograms.get(names.prefill)!.observe(labels, Math.max(0, firstTokenMs - firstAdmitMs) / 1000);
    histograms.get(names.decode)!.observe(labels, (lastTokenMs - firstTokenMs) / 1000);
    histograms.get(names.inference)!.observe(labels, Math.max(0, lastTokenMs - firstAdmitMs) / 1000);
    if (tokens < 2) return;
    const mean = (lastTokenMs - firstTokenMs) / (tokens - 1) / 1000;
    for (const name of names.tpot) histograms.get(name)!.observe(labels, mean);
  }

  /** A request was answered, or refused, through an interface. */
  answered(endpoint: string, status: number): void {
    this.counters.get('dynamo_frontend_requests_total')!.inc({ endpoint, status: String(status) });
  }
}
