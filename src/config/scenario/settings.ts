import { SEMANTICS } from '../rules.js';
import { TRACE_FORMATS } from '../trace-formats.js';
import type { Facts, Setting } from './setting.js';

const MAX_COUNT = 2147483647;
const count = { type: 'uint', min: 0, max: MAX_COUNT } as const;
const positive = { type: 'uint', min: 1, max: MAX_COUNT } as const;
const float = { type: 'float' } as const;
const notNegative = { type: 'float', min: 0 } as const;
const text = { type: 'string' } as const;
const flag = { type: 'bool' } as const;
const seed = { type: 'u64' } as const;

const needsRouter = ({ routes, name }: Facts) => !routes && `needs ${name('router_mode')} kv_router`;
const isForAgents = ({ traceFormat, name }: Facts) =>
  traceFormat !== 'applied_compute_agentic' && `is for ${name('trace_format')} applied_compute_agentic`;
const needs = (key: string) => (facts: Facts) => !facts.given.has(key) && `needs ${facts.name(key)}`;

/** What is replayed: a trace, or synthetic load. */
export const WORKLOAD = [
  {
    key: 'trace',
    option: 'traceFiles',
    rule: { type: 'paths' },
    help: 'trace to replay (several for --trace-format dynamo); .gz and .zst are unpacked',
  },
  {
    key: 'trace_format',
    rule: { type: 'choice', choices: TRACE_FORMATS },
    value: '<format>',
    help: 'format of the trace',
    default: 'mooncake',
  },
  {
    key: 'trace_block_size',
    rule: count,
    value: '<tokens>',
    help: 'tokens per hash id (default: 512, embedded for dynamo)',
    idle: ({ traceFormat }) => traceFormat === undefined && 'synthetic load has no hash ids',
  },
  {
    key: 'trace_shared_prefix_ratio',
    rule: float,
    value: '<ratio>',
    help: 'shared part of prompts (applied_compute_agentic)',
    default: 0,
    idle: isForAgents,
  },
  {
    key: 'trace_num_prefix_groups',
    rule: count,
    value: '<n>',
    help: 'groups that share a prefix (applied_compute_agentic)',
    default: 0,
    idle: isForAgents,
  },
  {
    key: 'arrival_speedup_ratio',
    rule: float,
    value: '<ratio>',
    help: 'divide arrival times and delays by this (open loop)',
    default: 1,
    idle: ({ isClosedLoop, traceFormat }) =>
      isClosedLoop
        ? 'closed loop has no arrival times'
        : traceFormat === undefined && 'synthetic load has a rate of its own',
  },
  {
    key: 'replay_concurrency',
    rule: positive,
    value: '<n>',
    help: 'closed loop: sessions, or requests, in flight at once',
  },
  {
    key: 'max_sim_time_seconds',
    rule: notNegative,
    value: '<s>',
    help: 'stop after this much simulated time',
  },
] as const satisfies readonly Setting[];

export const SYNTHETIC = [
  { key: 'input_tokens', rule: positive, value: '<n>', help: 'prompt length' },
  { key: 'output_tokens', rule: positive, value: '<n>', help: 'output length' },
  { key: 'request_count', rule: positive, value: '<n>', help: 'requests (sessions, with several turns)' },
  {
    key: 'request_rate',
    rule: { type: 'float', above: 0 },
    value: '<rps>',
    help: 'Poisson arrivals per second',
  },
  { key: 'arrival_interval_ms', rule: notNegative, value: '<ms>', help: 'one arrival every so often' },
  {
    key: 'arrival_seed',
    rule: seed,
    value: '<seed>',
    help: 'seed of Poisson arrivals (default: 42)',
    idle: needs('request_rate'),
  },
  { key: 'turns_per_session', rule: count, value: '<n>', help: 'turns of each session', default: 1 },
  {
    key: 'shared_prefix_ratio',
    rule: float,
    value: '<ratio>',
    help: 'part of each prompt shared within its group',
    default: 0,
  },
  {
    key: 'num_prefix_groups',
    rule: count,
    value: '<n>',
    help: 'groups that share a prefix',
    default: 0,
    idle: needs('shared_prefix_ratio'),
  },
  {
    key: 'inter_turn_delay_ms',
    rule: float,
    value: '<ms>',
    help: 'think time between turns',
    default: 0,
    idle: needs('turns_per_session'),
  },
] as const satisfies readonly Setting[];

/** Workers and their engines. */
export const FLEET = [
  {
    key: 'extra_engine_args',
    rule: { type: 'json', of: 'engine' },
    value: '<json>',
    help: 'engine of an aggregated fleet, as JSON text',
  },
  {
    key: 'num_workers',
    rule: positive,
    value: '<n>',
    help: 'workers of an aggregated fleet',
    default: 1,
  },
  {
    key: 'prefill_engine_args',
    rule: { type: 'json', of: 'engine' },
    value: '<json>',
    help: 'prefill engine of a disaggregated fleet',
  },
  {
    key: 'decode_engine_args',
    rule: { type: 'json', of: 'engine' },
    value: '<json>',
    help: 'decode engine of a disaggregated fleet',
  },
  { key: 'num_prefill_workers', rule: positive, value: '<n>', help: 'prefill workers', default: 1 },
  { key: 'num_decode_workers', rule: positive, value: '<n>', help: 'decode workers', default: 1 },
  {
    key: 'single_token_prefill',
    rule: flag,
    help: 'prefill workers stop after one token (the reference generates all of them)',
    idle: ({ isSplit }) => !isSplit && 'needs prefill workers',
  },
  {
    key: 'kv_offload',
    rule: flag,
    help: 'simulate the cache tiers G2 to G4 (num_g2_blocks, num_g3_blocks, enable_g4_storage)',
  },
] as const satisfies readonly Setting[];

/** Whose behaviour is simulated, and how strictly. */
export const RULES = [
  {
    key: 'semantics',
    rule: { type: 'choice', choices: SEMANTICS },
    value: '<release>',
    help: 'release of the reference whose behaviour is simulated',
    default: SEMANTICS[0],
  },
  {
    key: 'beyond_reference',
    rule: flag,
    help: 'allow what the reference refuses or ignores: TensorRT-LLM stages, unequal block sizes, one worker behind the KV router, conditional disaggregation, agentic traces with concurrency or caps',
  },
  {
    key: 'mend_faults',
    rule: flag,
    help: 'with --beyond-reference: do as engines do where the reference errs: first tokens with their prompts, SGLang’s chunks, cache and prefill passes, requests that outgrow the cache refused',
    idle: needs('beyond_reference'),
  },
  { key: 'check', rule: flag, help: 'check conservation laws after every pass (slow)' },
] as const satisfies readonly Setting[];

export const ROUTING = [
  {
    key: 'router_mode',
    rule: { type: 'kind', of: 'routers' },
    value: '<mode>',
    help: 'how requests find workers: round_robin, kv_router',
    default: 'round_robin',
  },
  {
    key: 'router_config',
    rule: { type: 'json', of: 'router' },
    value: '<json>',
    help: 'KV router settings, as JSON text',
    idle: (facts) => !facts.bypasses && needsRouter(facts),
  },
  {
    key: 'router_policy_config',
    rule: text,
    value: '<path>',
    help: 'YAML file of router policy classes',
    idle: needsRouter,
  },
  {
    key: 'router_seed',
    rule: seed,
    value: '<seed>',
    help: 'seed of choices among equal workers (default: 0xD1A05EED)',
    idle: needsRouter,
  },
  { key: 'model_name', rule: text, value: '<name>', help: 'profile in the policy file' },
  {
    key: 'kv_event_lag_ms',
    rule: notNegative,
    value: '<ms>',
    help: 'how long after a pass the KV router hears of what it cached (--semantics dynamo-1.6)',
  },
] as const satisfies readonly Setting[];

/** What owns the clock and changes the fleet meanwhile. */
export const CONTROL = [
  {
    key: 'replay_mode',
    rule: { type: 'choice', choices: ['offline', 'online'] },
    value: '<mode>',
    help: 'simulated or real time',
    default: 'offline',
  },
  {
    key: 'planner',
    rule: text,
    value: '<name>',
    help: 'who scales the fleet: reference (with --planner-config), none, hpa, keda, saturation, schedule, or a file such as ./policy.js',
  },
  {
    key: 'planner_config',
    rule: { type: 'json', of: 'planner' },
    value: '<json>',
    help: 'settings of the planner, as a path or JSON text; without --planner those of the reference’s',
  },
  {
    key: 'disturbances',
    rule: { type: 'json', of: 'disturbances' },
    value: '<json>',
    help: 'a fleet under a planner that is not kind: startup_spread, boot_failure_rate, losses_per_worker_hour, outages (a file), seed',
    idle: ({ given, name }) =>
      !given.has('planner') && !given.has('planner_config') && `needs ${name('planner')}`,
  },
  {
    key: 'sla_attainment',
    rule: { type: 'float', above: 0, max: 1 },
    value: '<part>',
    help: 'part of the requests that shall keep the goals, by which planners are measured',
    default: 0.95,
    idle: ({ given, name }) =>
      !given.has('planner') && !given.has('planner_config') && `needs ${name('planner')}`,
  },
  {
    key: 'benchmark_granularity',
    rule: count,
    value: '<n>',
    help: 'sweep points of the planner’s bootstrap',
    default: 8,
    idle: needs('planner_config'),
  },
] as const satisfies readonly Setting[];

export const TIMING = [
  {
    key: 'timing',
    rule: { type: 'json', of: 'timing' },
    value: '<json>',
    help: 'timing of engines that name none, such as {"type":"roofline","gpu":"h100_sxm",...}',
    idle: ({ engines }) =>
      engines.every(({ aic, timingGridPath }) => aic !== undefined || timingGridPath !== undefined) &&
      'every engine names its own timing',
  },
  {
    key: 'overheads',
    rule: { type: 'json', of: 'overheads' },
    value: '<json>',
    help: 'time around the GPUs: frontend_ms, tokenize_ms_per_token, step_ms, step_ms_per_sequence, first_token_ms, client_ms; or typical',
  },
  {
    key: 'aic_systems',
    rule: text,
    value: '<folder>',
    help: 'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS)',
    idle: ({ engines, given }) =>
      !engines.some(({ aic }) => aic) &&
      !given.has('aic_backend') &&
      'no engine takes its timing from AI Configurator',
  },
  {
    key: 'strict_timing',
    rule: flag,
    help: 'with --beyond-reference: refuse what tables have no row for, instead of filling it',
    idle: (facts) =>
      facts.engines.every(({ aic }) => !aic)
        ? 'no engine takes its timing from AI Configurator'
        : needs('beyond_reference')(facts),
  },
] as const satisfies readonly Setting[];

const aicText = <Key extends string>(key: Key) =>
  ({ key, rule: text, value: '<value>', help: aicHelp(key) }) as const;
const aicDtype = <Key extends string>(key: Key) =>
  ({ ...aicText(key), none: ['', 'auto', 'none', 'null'] }) as const;
const aicCount = <Key extends string>(key: Key) =>
  ({ key, rule: count, value: '<n>', help: aicHelp(key), none: [0] }) as const;

function aicHelp(key: string): string {
  return `AI Configurator ${key.slice('aic_'.length).replaceAll('_', ' ')}`;
}

/** Tables for the KV router’s estimate of prefill load. */
export const ESTIMATE = [
  aicText('aic_backend'),
  aicText('aic_system'),
  aicText('aic_backend_version'),
  aicText('aic_model_path'),
  aicDtype('aic_gemm_dtype'),
  aicDtype('aic_moe_dtype'),
  aicDtype('aic_fmha_dtype'),
  aicDtype('aic_kv_cache_dtype'),
  aicDtype('aic_comm_dtype'),
  aicText('aic_nextn_accept_rates'),
  aicCount('aic_tp_size'),
  aicCount('aic_moe_tp_size'),
  aicCount('aic_moe_ep_size'),
  aicCount('aic_attention_dp_size'),
  aicCount('aic_nextn'),
] as const satisfies readonly Setting[];

export const GOALS = [
  {
    key: 'sla_ttft_ms',
    rule: notNegative,
    value: '<ms>',
    help: 'goodput bound on time to first token',
  },
  {
    key: 'sla_itl_ms',
    rule: notNegative,
    value: '<ms>',
    help: 'goodput bound on mean inter-token latency',
  },
  { key: 'sla_e2e_ms', rule: notNegative, value: '<ms>', help: 'goodput bound on request latency' },
] as const satisfies readonly Setting[];

/** Settings as help groups them. */
export const SECTIONS: readonly { title: string; settings: readonly Setting[] }[] = [
  { title: 'Trace', settings: WORKLOAD },
  { title: 'Synthetic load', settings: SYNTHETIC },
  { title: 'Fleet', settings: [...FLEET, ...RULES, ...ROUTING, ...CONTROL] },
  { title: 'Timing', settings: TIMING },
  { title: 'Timing of the KV router’s load estimate', settings: ESTIMATE },
  { title: 'Goals', settings: GOALS },
];

/** Every setting. */
export const SETTINGS: readonly Setting[] = SECTIONS.flatMap(({ settings }) => settings);
