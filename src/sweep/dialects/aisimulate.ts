import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import { ROUTER_FIELDS } from '../../config/router-config.js';
import type { SpecDocument } from '../document.js';
import { workerDomains } from './aisimulate-workers.js';
import { type MadeStudy, numeric, object } from './made-study.js';
import { Taken } from './taken.js';

const DEFAULT_MOST_GPUS = 32;
const DEFAULT_REQUESTS = 100;
const ALGORITHMS: Readonly<Record<string, string>> = {
  bayesian: 'tpe',
  random: 'random',
  thorough: 'exhaustive',
};
const ROLES = { aggregated: 'extra', prefill: 'prefill', decode: 'decode' } as const;

/** Whether a document is a search of aisimulate. */
export function isAisimulate({ root }: SpecDocument): boolean {
  return root instanceof Map && root.has('traffic') && root.has('engine');
}

/** The study that a search of aisimulate asks for. @throws {InputError} for what contradicts itself */
export function studyOfAisimulate(document: SpecDocument): MadeStudy {
  const unmapped: string[] = [];
  const root = Taken.of(document.root, '', unmapped);
  const base: JsonObject = new Map();
  const search: JsonObject = new Map();
  const goals: JsonObject = new Map();
  takeTraffic(root.inner('traffic'), base, search);
  const fleet = takeEngine(root.inner('engine'), base, search);
  takeRouter(root.inner('router'), search);
  takePlanner(root.inner('planner'), unmapped);
  const { target, maxGpus, minGpus } = takeGoals(root, fleet, base, goals);
  fleet.set('max_gpus', maxGpus ?? numeric(DEFAULT_MOST_GPUS));
  if (minGpus !== undefined) fleet.set('min_gpus', minGpus);
  const optimizer = takeOptimizer(root.inner('optimizer'), target);
  root.close();
  return { study: object({ base, fleet, search, goals, target, optimizer }), unmapped };
}

/** A domain as ours: choices and ranges as they are, one value as the only choice. */
function domain(value: JsonValue): JsonValue {
  return value instanceof Map ? value : object({ choices: [value] });
}

/** A setting that is the same for all candidates, or searched. */
function set(base: JsonObject, search: JsonObject, key: string, value: JsonValue | undefined): void {
  if (value === undefined || value === null) return;
  if (value instanceof Map) search.set(key, value);
  else base.set(key, value);
}

function takeTraffic(traffic: Taken, base: JsonObject, search: JsonObject): void {
  const source = traffic.inner('source');
  const type = source.take('type') ?? 'synthetic';
  if (type === 'trace') {
    base.set('trace', source.take('paths') ?? source.take('path') ?? null);
    set(base, search, 'trace_format', source.take('format'));
    set(base, search, 'trace_block_size', source.take('block_size'));
  } else {
    set(
      base,
      search,
      'input_tokens',
      source.take('input_tokens') ?? source.take('new_input_tokens_per_turn'),
    );
    set(base, search, 'output_tokens', source.take('output_tokens') ?? source.take('output_tokens_per_turn'));
    const session = source.inner('session');
    set(base, search, 'turns_per_session', session.take('turns'));
    set(base, search, 'shared_prefix_ratio', session.take('shared_prefix_ratio'));
    set(base, search, 'num_prefix_groups', session.take('prefix_groups'));
    set(base, search, 'inter_turn_delay_ms', session.take('inter_turn_delay_ms'));
    session.close();
  }
  source.close();
  const unit = takeLoad(traffic.inner('load'), base, search);
  const stop = traffic.inner('stop');
  const count = stop.take('requests') ?? stop.take('sessions');
  const perUnit =
    unit === undefined
      ? undefined
      : (stop.take('requests_per_load_unit') ?? stop.take('sessions_per_load_unit'));
  if (perUnit instanceof JsonNumber && unit !== undefined)
    base.set('request_count', numeric(Math.max(1, Math.round(perUnit.value * unit))));
  else if (type !== 'trace') base.set('request_count', count ?? numeric(DEFAULT_REQUESTS));
  set(base, search, 'max_sim_time_seconds', stop.take('max_virtual_time_seconds'));
  stop.close();
  traffic.close();
}

/** @returns the load as a number, where it is one */
function takeLoad(load: Taken, base: JsonObject, search: JsonObject): number | undefined {
  const type = load.take('type') ?? 'concurrency';
  let unit: JsonValue | undefined;
  if (type === 'concurrency') {
    unit = load.take('concurrency') ?? numeric(10);
    set(base, search, 'replay_concurrency', unit);
  } else if (type === 'trace_timestamps') set(base, search, 'arrival_speedup_ratio', load.take('speedup'));
  else if (type === 'poisson' || type === 'constant_rate') {
    unit = load.take('requests_per_second') ?? load.take('sessions_per_second');
    if (type === 'poisson') {
      set(base, search, 'request_rate', unit);
      set(base, search, 'arrival_seed', load.take('seed'));
    } else if (unit instanceof JsonNumber) base.set('arrival_interval_ms', numeric(1000 / unit.value));
    else load.note('requests_per_second', 'a domain of constant rates has no counterpart; poisson has');
  } else load.note('type', `${String(type)} has no counterpart`);
  load.close();
  return unit instanceof JsonNumber ? unit.value : undefined;
}

function takeEngine(engine: Taken, base: JsonObject, search: JsonObject): JsonObject {
  const mode = engine.take('mode') ?? 'aggregated';
  const topologies = mode instanceof Map ? (mode.get('choices') ?? null) : [mode];
  const backend = engine.take('backend') ?? 'vllm';
  const backends = backend instanceof Map ? (backend.get('choices') ?? null) : [backend];
  const hardware = engine.take('hardware');
  const version = engine.take('backend_version');
  const fleet = object({
    model: engine.take('model'),
    ...(hardware !== 'auto' && { gpu: hardware }),
    backend: backends,
    ...(version !== null && { backend_version: version }),
    topologies,
  });
  const context = engine.take('context_length');
  const length = context === undefined || context === 'max' ? undefined : domain(context);
  if (length !== undefined) search.set('engine_args.max_model_len', length);
  const name = Array.isArray(backends) ? String(backends[0]) : 'vllm';
  if (Array.isArray(backends) && backends.includes('trtllm')) base.set('beyond_reference', true);
  const workers = engine.inner('workers');
  for (const [role, stage] of Object.entries(ROLES)) {
    const isAsked =
      Array.isArray(topologies) && topologies.includes(role === 'aggregated' ? role : 'disaggregated');
    if (!workers.has(role) || !isAsked) {
      workers.take(role);
      continue;
    }
    const { parallelism, settings } = workerDomains(workers.inner(role), name);
    if (parallelism) fleet.set(role === 'aggregated' ? 'parallelism' : `${role}_parallelism`, parallelism);
    for (const [key, value] of settings) search.set(`${stage}_engine_args.${key}`, domain(value));
  }
  workers.close();
  const transfer = engine.inner('kv_transfer');
  const isSplit = Array.isArray(topologies) && topologies.includes('disaggregated');
  const fields = {
    bandwidth_gb_per_second: 'kv_transfer_bandwidth',
    timing_mode: 'kv_transfer_timing_mode',
    bytes_per_token: 'kv_bytes_per_token',
  };
  for (const [field, key] of Object.entries(fields)) {
    const value = transfer.take(field);
    if (!isSplit || value === undefined || value === null || value === 'auto') continue;
    for (const stage of ['prefill', 'decode']) search.set(`${stage}_engine_args.${key}`, domain(value));
  }
  transfer.close();
  engine.close();
  return fleet;
}

function takeRouter(router: Taken, search: JsonObject): void {
  const modes: Record<string, string> = {
    kv: 'kv_router',
    kv_router: 'kv_router',
    round_robin: 'round_robin',
  };
  const mode = router.take('mode') ?? router.take('policy');
  const renamed = (value: JsonValue) => (typeof value === 'string' ? (modes[value] ?? value) : value);
  if (mode instanceof Map) {
    const choices = mode.get('choices');
    search.set('router_mode', object({ choices: Array.isArray(choices) ? choices.map(renamed) : [] }));
  } else if (mode !== undefined && mode !== 'disabled') search.set('router_mode', domain(renamed(mode)));
  for (const name of Object.keys(ROUTER_FIELDS)) {
    const value = router.take(name) ?? router.take(name.replace(/^router_/, ''));
    if (value !== undefined && value !== null) search.set(`router_config.${name}`, domain(value));
  }
  router.close();
}

function takePlanner(planner: Taken, unmapped: string[]): void {
  const policy = planner.take('policy');
  if (policy !== undefined && policy !== 'disabled')
    unmapped.push('planner has no counterpart; give planner_config in the base of a study');
  planner.ignore();
}

function takeGoals(
  root: Taken,
  fleet: JsonObject,
  base: JsonObject,
  goals: JsonObject,
): { target: JsonValue; maxGpus: JsonValue | undefined; minGpus: JsonValue | undefined } {
  const evaluation = root.inner('evaluation');
  const sla = evaluation.inner('sla');
  const optimization = root.inner('optimization');
  const isStrict = optimization.take('strict_sla') === true;
  for (const name of ['ttft_ms', 'itl_ms', 'e2e_ms']) {
    const bound = sla.take(name);
    if (bound === undefined || bound === null) continue;
    // Bounds are on single requests, and make goodput; only strict ones are on means too.
    base.set(`sla_${name}`, bound);
    if (isStrict) goals.set(name, bound);
  }
  sla.close();
  evaluation.close();
  const asked = optimization.take('target') ?? 'throughput';
  const constraints = optimization.inner('constraints');
  const floor = constraints.take('min_goodput_rps');
  if (floor !== undefined && floor !== null) goals.set('min_goodput_rps', floor);
  const hardware = optimization.take('hardware');
  if (hardware !== undefined && !fleet.has('gpu')) fleet.set('gpu', hardware);
  const bounds = {
    maxGpus: constraints.take('max_candidate_gpus'),
    minGpus: constraints.take('min_candidate_gpus'),
  };
  constraints.close();
  optimization.close();
  return { target: asked === 'min_gpus' ? 'gpus' : asked, ...bounds };
}

function takeOptimizer(optimizer: Taken, target: JsonValue): JsonObject {
  const asked = optimizer.take('policy') === 'thorough' ? 'thorough' : optimizer.take('algorithm');
  const algorithm = typeof asked === 'string' ? ALGORITHMS[asked] : undefined;
  if (asked !== undefined && algorithm === undefined)
    optimizer.note('algorithm', `${String(asked)} has no counterpart`);
  optimizer.take('algorithm');
  if (optimizer.has('parallelism')) optimizer.note('parallelism', 'is --threads here');
  optimizer.take('parallelism');
  if (optimizer.has('candidate_timeout_seconds'))
    optimizer.note('candidate_timeout_seconds', 'is --timeout of dynosim worker here');
  optimizer.take('candidate_timeout_seconds');
  const made = object({
    algorithm: algorithm === 'tpe' && target === 'pareto' ? 'nsga2' : algorithm,
    max_trials: optimizer.take('max_trials'),
    seed: optimizer.take('seed'),
  });
  optimizer.close();
  return made;
}
