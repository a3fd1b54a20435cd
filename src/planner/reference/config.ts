import { InputError } from '../../config/input-error.js';
import { describeJson, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Intervals } from './cadence.js';
import { LaxFields, laxNumber } from './lax-fields.js';
import { type PerfModelSpec, readPerfModel } from './perf-model-spec.js';

const MODES = ['disagg', 'prefill', 'decode', 'agg'] as const;
const TARGETS = ['throughput', 'latency', 'load', 'sla'] as const;
const PREDICTORS = ['constant', 'arima', 'kalman', 'prophet'] as const;

type PredictorName = (typeof PREDICTORS)[number];

/** The settings of the planner that change what it does in a simulation. */
export interface PlannerConfig {
  readonly mode: 'agg' | 'disagg';
  readonly target: (typeof TARGETS)[number];
  readonly intervals: Intervals;
  readonly scalesThroughput: boolean;
  readonly scalesLoad: boolean;
  readonly goals: { readonly ttftMs: number; readonly itlMs: number };
  readonly maxGpus: number;
  readonly minGpus: number;
  readonly minWorkers: number;
  /** GPUs of a worker as the page of diagnostics counts them; 0 when not given. */
  readonly prefillGpus: number;
  readonly decodeGpus: number;
  readonly predictor: PredictorName;
  readonly isLogarithmic: boolean;
  readonly prophetWindow: number;
  readonly kalman: { readonly level: number; readonly trend: number; readonly measurement: number };
  readonly warmupTrace: string | undefined;
  readonly samples: { readonly maxSamples: number; readonly minSamples: number; readonly buckets: number };
  readonly sensitivityPercent: number;
  readonly prefillUpTokens: number | undefined;
  readonly prefillDownTokens: number | undefined;
  readonly decodeUpPercent: number | undefined;
  readonly decodeDownPercent: number | undefined;
  readonly draftTokens: number;
  readonly perfModel: PerfModelSpec | undefined;
  readonly report: PlannerReportConfig;
}

/** What is written at the end; nothing when `isWritten` is false. */
interface PlannerReportConfig {
  readonly isWritten: boolean;
  readonly folder: string;
  readonly fileName: string | undefined;
  readonly writesLog: boolean;
}

const DEFAULT_THROUGHPUT_SECONDS = 180;
const DEFAULT_LOAD_SECONDS = 5;
const LOAD_FIELD = 'load_adjustment_interval_seconds';
const LOAD_ALIAS = 'load_adjustment_interval';
const THROUGHPUT_FIELD = 'throughput_adjustment_interval_seconds';
const THROUGHPUT_ALIAS = 'throughput_adjustment_interval';
const NULLABLE = [
  'pre_deployment_sweeping_mode',
  'global_planner_namespace',
  'prefill_engine_num_gpu',
  'decode_engine_num_gpu',
  'load_predictor_warmup_trace',
  'prefill_scale_up_queue_tokens',
  'prefill_scale_down_queue_tokens',
  'decode_scale_up_kv_rate',
  'decode_scale_down_kv_rate',
  'aic_perf_model',
  'aic_interpolation',
  'report_filename',
  'model_name',
  'log_dir',
];

/**
 * Reads the configuration of the reference's planner.
 * @param where names it in messages, such as `--planner-config`
 * @throws {InputError} naming the field, what was found and what is allowed
 */
export function readPlannerConfig(json: JsonValue, where: string): PlannerConfig {
  if (!(json instanceof Map))
    throw new InputError(`${where}: expected an object, found ${describeJson(json)}`);
  const object: JsonObject = new Map(json);
  const fields = new LaxFields(object, where);
  const hasReport = object.get('report_interval_hours') !== null;
  if (!hasReport) object.delete('report_interval_hours');
  fields.nullable(NULLABLE);
  checkIdleFields(fields);
  const mode = fields.choice('mode', MODES) ?? 'disagg';
  const target = fields.choice('optimization_target', TARGETS) ?? 'throughput';
  const raw = {
    mode,
    target,
    scalesThroughput: fields.boolean('enable_throughput_scaling') ?? true,
    scalesLoad: fields.boolean('enable_load_scaling') ?? false,
    intervals: {
      tick: readTickSeconds(fields, target, where),
      load: fields.integer(LOAD_FIELD, { above: 0 }, LOAD_ALIAS) ?? DEFAULT_LOAD_SECONDS,
      throughput: fields.integer(THROUGHPUT_FIELD, {}, THROUGHPUT_ALIAS) ?? DEFAULT_THROUGHPUT_SECONDS,
    },
    goals: {
      ttftMs: fields.float('ttft_ms', {}, 'ttft') ?? 500,
      itlMs: fields.float('itl_ms', {}, 'itl') ?? 50,
    },
    maxGpus: fields.integer('max_gpu_budget') ?? 8,
    minGpus: fields.integer('min_gpu_budget') ?? -1,
    minWorkers: fields.integer('min_endpoint') ?? 1,
    prefillGpus: fields.integer('prefill_engine_num_gpu') ?? 0,
    decodeGpus: fields.integer('decode_engine_num_gpu') ?? 0,
    isLogarithmic: fields.boolean('load_predictor_log1p') ?? false,
    prophetWindow: fields.integer('prophet_window_size') ?? 50,
    kalman: {
      level: fields.float('kalman_q_level') ?? 1,
      trend: fields.float('kalman_q_trend') ?? 0.1,
      measurement: fields.float('kalman_r') ?? 10,
    },
    warmupTrace: fields.text('load_predictor_warmup_trace'),
    samples: {
      maxSamples: fields.integer('max_num_fpm_samples') ?? 64,
      minSamples: fields.integer('load_min_observations') ?? 5,
      buckets: fields.integer('fpm_sample_bucket_size') ?? 16,
    },
    sensitivityPercent: fields.integer('load_scaling_down_sensitivity') ?? 80,
    prefillUpTokens: fields.integer('prefill_scale_up_queue_tokens', { min: 0 }),
    prefillDownTokens: fields.integer('prefill_scale_down_queue_tokens', { min: 0 }),
    decodeUpPercent: fields.float('decode_scale_up_kv_rate', { min: 0, max: 100 }),
    decodeDownPercent: fields.float('decode_scale_down_kv_rate', { min: 0, max: 100 }),
    draftTokens: fields.integer('speculative_nextn', { min: 0 }) ?? 0,
    perfModel: readPerfModel(fields.nested('aic_perf_model'), `${where}: aic_perf_model`),
  };
  const hours = hasReport ? (fields.float('report_interval_hours') ?? 24) : undefined;
  const report = {
    isWritten: hours !== undefined || (fields.integer('live_dashboard_port') ?? 8080) !== 0,
    folder: fields.text('report_output_dir') ?? './planner_reports',
    fileName: fields.text('report_filename'),
    writesLog: fields.boolean('report_write_gzip_log') ?? true,
  };
  const name = fields.text('load_predictor') ?? 'arima';
  const checked = { ...raw, ...scalings(raw) };
  checkTogether(checked, fields, where, hours);
  return { ...checked, mode: simulated(mode, where), predictor: predictorOf(name, checked, where), report };
}

/** Only targets without latency goals ignore what the configuration says about the two scalings. */
function scalings({
  target,
  scalesThroughput,
  scalesLoad,
}: Pick<PlannerConfig, 'target' | 'scalesThroughput' | 'scalesLoad'>) {
  return target === 'sla' ? { scalesThroughput, scalesLoad } : { scalesThroughput: false, scalesLoad: true };
}

function simulated(mode: string, where: string): 'agg' | 'disagg' {
  if (mode === 'agg' || mode === 'disagg') return mode;
  throw new InputError(`${where}: mode: a replay supports agg or disagg, found "${mode}"`);
}

function predictorOf(
  name: string,
  { scalesThroughput }: { scalesThroughput: boolean },
  where: string,
): PredictorName {
  const found = PREDICTORS.find((predictor) => predictor === name);
  if (found) return found;
  if (!scalesThroughput) return 'constant';
  throw new InputError(`${where}: load_predictor: expected one of ${PREDICTORS.join(', ')}, found "${name}"`);
}

/** Fields that change nothing in a simulation, but must be right all the same. */
function checkIdleFields(fields: LaxFields): void {
  fields.choice('backend', ['vllm', 'sglang', 'trtllm', 'mocker']);
  fields.choice('environment', ['kubernetes', 'virtual', 'global-planner']);
  fields.choice('pre_deployment_sweeping_mode', ['none', 'rapid', 'thorough']);
  fields.choice('throughput_metrics_source', ['frontend', 'router']);
  for (const name of [
    'global_planner_namespace',
    'namespace',
    'profile_results_dir',
    'model_name',
    'log_dir',
  ])
    fields.text(name);
  fields.integer('kalman_min_points');
  fields.integer('metric_reporting_prometheus_port');
  fields.boolean('advisory');
}

/** Seconds between ticks: as given, or the longest that both scalings divide by. */
function readTickSeconds(fields: LaxFields, target: string, where: string): number {
  const scheduling = fields.nested('scheduling');
  const given = scheduling && readScheduling(scheduling, `${where}: scheduling`);
  if (given !== undefined) return given;
  const number = (name: string, alias: string, otherwise: number) => {
    const value = fields.raw(name, alias);
    return value === undefined ? otherwise : value === null ? undefined : laxNumber(value);
  };
  const load = number(LOAD_FIELD, LOAD_ALIAS, DEFAULT_LOAD_SECONDS);
  const throughput = number(THROUGHPUT_FIELD, THROUGHPUT_ALIAS, DEFAULT_THROUGHPUT_SECONDS);
  if (load === undefined || throughput === undefined) return DEFAULT_LOAD_SECONDS;
  const loadMs = halfEven(load * 1000);
  const scales = target === 'sla' && (fields.boolean('enable_throughput_scaling') ?? true);
  const tick = (scales ? gcd(loadMs, halfEven(throughput * 1000)) : loadMs) / 1000;
  if (!(tick > 0)) fields.fail(LOAD_FIELD, 'more than 0', LOAD_ALIAS);
  return tick;
}

const SCHEDULING_FIELDS = [
  'scale_interval_seconds',
  'tick_max_duration_seconds',
  'external_plugins',
  'gateway',
];

function readScheduling(object: JsonObject, where: string): number | undefined {
  for (const name of object.keys())
    if (!SCHEDULING_FIELDS.includes(name))
      throw new InputError(`${where}: ${name}: unknown field; known are ${SCHEDULING_FIELDS.join(', ')}`);
  const fields = new LaxFields(object, where);
  fields.float('tick_max_duration_seconds', { above: 0 });
  const plugins = object.get('external_plugins');
  if (Array.isArray(plugins) && plugins.length > 0)
    throw new InputError(
      `${where}: external_plugins: plugins behind a network cannot be part of a simulation`,
    );
  return fields.float('scale_interval_seconds', { above: 0 });
}

function gcd(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

function halfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Rules about several fields, in the order in which the reference reports them. */
function checkTogether(
  config: Omit<PlannerConfig, 'mode' | 'predictor' | 'report'> & { mode: string },
  fields: LaxFields,
  where: string,
  reportHours: number | undefined,
): void {
  const { goals, samples, intervals, scalesLoad, scalesThroughput } = config;
  const fail = (problem: string): never => {
    throw new InputError(`${where}: ${problem}`);
  };
  if (!(goals.ttftMs > 0)) fail(`ttft_ms: expected more than 0, found ${goals.ttftMs}`);
  if (reportHours !== undefined && !(reportHours > 0 && Number.isFinite(reportHours)))
    fail(`report_interval_hours: expected a positive finite number or null, found ${reportHours}`);
  const root = Math.floor(Math.sqrt(samples.buckets));
  if (root * root !== samples.buckets)
    fail(`fpm_sample_bucket_size: expected a perfect square, found ${samples.buckets}`);
  if (fields.text('environment') === 'global-planner' && !fields.text('global_planner_namespace'))
    fail('global_planner_namespace: needed when environment is global-planner');
  if (config.target === 'load') checkThresholds(config, fail);
  if (!scalesLoad && !scalesThroughput)
    fail('at least one of enable_throughput_scaling and enable_load_scaling must be true');
  checkPicks(config, fail);
  if (scalesThroughput && intervals.throughput <= 0)
    fail(`${THROUGHPUT_FIELD}: expected more than 0, found ${intervals.throughput}`);
  const divides = (interval: number) => {
    const ratio = interval / intervals.tick;
    return Math.abs(ratio - Math.round(ratio)) <= Math.max(1e-9, 1e-9 * Math.abs(ratio));
  };
  if (!divides(intervals.load) || (scalesThroughput && !divides(intervals.throughput)))
    fail(
      `scheduling.scale_interval_seconds: ${intervals.tick} must evenly divide ${LOAD_FIELD} and, with throughput scaling, ${THROUGHPUT_FIELD}`,
    );
  if (scalesLoad && scalesThroughput && intervals.load >= intervals.throughput)
    fail(
      `${LOAD_FIELD}: ${intervals.load} must be less than ${THROUGHPUT_FIELD}, which is ${intervals.throughput}`,
    );
}

type Fail = (problem: string) => never;

function checkThresholds(
  config: Pick<
    PlannerConfig,
    'prefillUpTokens' | 'prefillDownTokens' | 'decodeUpPercent' | 'decodeDownPercent'
  > & { mode: string },
  fail: Fail,
): void {
  const check = (name: string, up: number | undefined, down: number | undefined, unit: string) => {
    const [upName, downName] = [`${name}_scale_up_${unit}`, `${name}_scale_down_${unit}`];
    if (up === undefined || down === undefined)
      return fail(`${upName} and ${downName} are needed with optimization_target load`);
    if (up <= down) fail(`${upName}: expected more than ${downName}, which is ${down}, found ${up}`);
  };
  const { mode } = config;
  if (mode === 'disagg' || mode === 'prefill')
    check('prefill', config.prefillUpTokens, config.prefillDownTokens, 'queue_tokens');
  if (mode !== 'prefill') check('decode', config.decodeUpPercent, config.decodeDownPercent, 'kv_rate');
}

function checkPicks(
  { mode, perfModel }: { mode: string; perfModel: PerfModelSpec | undefined },
  fail: Fail,
): void {
  if (!perfModel) return;
  const needed = (pick: unknown, name: string) => {
    if (pick === undefined) fail(`aic_perf_model: ${name} is needed with mode ${mode}`);
  };
  if (mode === 'disagg' || mode === 'prefill') needed(perfModel.prefillPick, 'prefill_pick');
  if (mode !== 'prefill') needed(perfModel.decodePick, 'decode_pick');
}
