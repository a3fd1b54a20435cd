import { availableParallelism } from 'node:os';
import { type JsonObject, jsonText } from '../../config/json.js';
import { SEMANTICS, type Semantics } from '../../config/rules.js';
import type { SpecDocument } from '../document.js';
import { asObject, type LaxRules, readLax, refuseUnknown } from './lax-fields.js';

const OBJECTIVES = ['throughput', 'mean_ttft', 'mean_e2e_latency'] as const;
export type Objective = (typeof OBJECTIVES)[number];

/** Bounds on the means and 95th percentiles of a run, in milliseconds; null where there is none. */
export interface SlaSpec {
  ttft: number | null;
  itl: number | null;
  e2eLatency: number | null;
  p95Ttft: number | null;
  p95Itl: number | null;
  p95E2eLatency: number | null;
}

export interface OptimizeWorkload {
  isl: number | null;
  osl: number | null;
  concurrency: number | null;
  requestRate: number | null;
  requestCount: number | null;
  sharedPrefixRatio: number;
  numPrefixGroups: number;
  turnsPerSession: number;
  interTurnDelayMs: number;
  arrivalIntervalMs: number | null;
  arrivalSeed: bigint;
  traceFile: string | null;
  traceFormat: string;
  arrivalSpeedupRatio: number;
  traceReplayConcurrency: number | null;
  traceSharedPrefixRatio: number;
  traceNumPrefixGroups: number;
}

/** What the reference's search is asked: `ReplayOptimizeSpec`, under its names. */
export interface OptimizeSpec {
  engine: {
    model: string;
    backend: 'vllm' | 'sglang';
    baseEngineArgs: JsonObject | null;
    basePrefillEngineArgs: JsonObject | null;
    baseDecodeEngineArgs: JsonObject | null;
  };
  hardware: { gpuSku: string; totalGpus: number };
  workload: OptimizeWorkload;
  sla: SlaSpec;
  router: {
    mode: 'kv_router' | 'round_robin' | 'both';
    overlapCredits: readonly number[] | null;
    prefillLoadScales: readonly number[] | null;
    baseRouterConfig: JsonObject | null;
  };
  objective: Objective;
  /** Release whose behaviour is simulated. */
  semantics: Semantics;
  maxParallelEvals: number;
}

const ENGINE: LaxRules = {
  model: { type: 'string' },
  backend: { type: 'choice', choices: ['auto', 'sglang', 'trtllm', 'vllm'] },
  baseEngineArgs: { type: 'object', default: null },
  basePrefillEngineArgs: { type: 'object', default: null },
  baseDecodeEngineArgs: { type: 'object', default: null },
};
const HARDWARE: LaxRules = { gpuSku: { type: 'string' }, totalGpus: { type: 'int', above: 0 } };
const WORKLOAD: LaxRules = {
  isl: { type: 'int', default: null },
  osl: { type: 'int', default: null },
  concurrency: { type: 'float', default: null },
  requestRate: { type: 'float', default: null },
  requestCount: { type: 'int', default: null },
  sharedPrefixRatio: { type: 'float', default: 0 },
  numPrefixGroups: { type: 'int', default: 0 },
  turnsPerSession: { type: 'int', default: 1 },
  interTurnDelayMs: { type: 'float', default: 0 },
  arrivalIntervalMs: { type: 'float', default: null },
  arrivalSeed: { type: 'int', default: 42n, isBig: true },
  traceFile: { type: 'string', default: null },
  traceFormat: { type: 'string', default: 'mooncake' },
  arrivalSpeedupRatio: { type: 'float', default: 1 },
  traceReplayConcurrency: { type: 'int', default: null },
  traceSharedPrefixRatio: { type: 'float', default: 0 },
  traceNumPrefixGroups: { type: 'int', default: 0 },
};
const SLA: LaxRules = Object.fromEntries(
  ['ttft', 'itl', 'e2eLatency', 'p95Ttft', 'p95Itl', 'p95E2eLatency'].map((name) => [
    name,
    { type: 'float', default: null },
  ]),
);
const ROUTER: LaxRules = {
  mode: { type: 'choice', choices: ['kv_router', 'round_robin', 'both'], default: 'kv_router' },
  overlapCredits: { type: 'floats', default: null },
  prefillLoadScales: { type: 'floats', default: null },
  baseRouterConfig: { type: 'object', default: null },
};
const SEARCH: LaxRules = {
  objective: { type: 'choice', choices: OBJECTIVES, default: 'throughput' },
  semantics: { type: 'choice', choices: SEMANTICS, default: SEMANTICS[0] },
  maxParallelEvals: { type: 'int', above: 0, default: Math.min(8, availableParallelism()) },
};
const SECTIONS = { engine: ENGINE, hardware: HARDWARE, workload: WORKLOAD, sla: SLA, router: ROUTER };
const OPTIONAL_SECTIONS = ['sla', 'router'];

/** Fields that a trace excludes, in the order in which they are named. */
const SYNTHETIC = ['isl', 'osl', 'concurrency', 'requestRate', 'requestCount', 'arrivalIntervalMs'] as const;

/** Reads what the reference's search is asked. @throws {InputError} naming file, line and field */
export function readOptimizeSpec(document: SpecDocument): OptimizeSpec {
  const root = asObject(document, [], document.root);
  refuseUnknown(document, [], root, [...Object.keys(SECTIONS), ...Object.keys(SEARCH)]);
  const sections = Object.entries(SECTIONS).map(([name, rules]) => {
    const given = root.get(name) ?? (OPTIONAL_SECTIONS.includes(name) && !root.has(name) ? new Map() : null);
    if (given === null && !root.has(name)) document.fail([], `${name} is missing`);
    return [name, readLax(document, [name], given, rules)] as const;
  });
  const own = new Map([...root].filter(([name]) => Object.hasOwn(SEARCH, name)));
  const spec = {
    ...Object.fromEntries(sections),
    ...readLax(document, [], own, SEARCH),
  } as unknown as OptimizeSpec;
  const { backend } = spec.engine as { backend: string };
  if (backend !== 'vllm' && backend !== 'sglang')
    document.fail(['engine', 'backend'], `found ${backend}, allowed are sglang, vllm`);
  const refuse = (problem: string) => document.fail(['workload'], problem);
  if (spec.workload.traceFile === null) checkSynthetic(spec.workload, refuse);
  else checkTrace(spec.workload, refuse);
  checkRouter(spec.router, (field, problem) => document.fail(['router', field], problem));
  return spec;
}

type Refuse = (problem: string) => never;

function checkTrace(workload: OptimizeWorkload, refuse: Refuse): void {
  const mixed = SYNTHETIC.filter((name) => workload[name] !== null);
  if (mixed.length > 0) refuse(`with traceFile these must not be set: ${mixed.join(', ')}`);
  const { traceFormat, traceReplayConcurrency, traceSharedPrefixRatio, traceNumPrefixGroups } = workload;
  if (traceFormat !== 'mooncake' && traceFormat !== 'applied_compute_agentic')
    refuse(`traceFormat: found ${traceFormat}, allowed are mooncake, applied_compute_agentic`);
  if (traceReplayConcurrency !== null && traceReplayConcurrency < 1)
    refuse(`traceReplayConcurrency: must be at least 1, found ${traceReplayConcurrency}`);
  if (!(traceSharedPrefixRatio >= 0 && traceSharedPrefixRatio <= 1))
    refuse(`traceSharedPrefixRatio: must be from 0 to 1, found ${traceSharedPrefixRatio}`);
  if (traceNumPrefixGroups < 0)
    refuse(`traceNumPrefixGroups: must not be negative, found ${traceNumPrefixGroups}`);
  if (traceSharedPrefixRatio > 0 && traceNumPrefixGroups < 1)
    refuse('traceSharedPrefixRatio above 0 needs traceNumPrefixGroups of at least 1');
  if (traceFormat === 'applied_compute_agentic' && traceReplayConcurrency === null)
    refuse('traceFormat applied_compute_agentic needs traceReplayConcurrency');
}

function checkSynthetic(workload: OptimizeWorkload, refuse: Refuse): void {
  const missing = (['isl', 'osl', 'requestCount'] as const).filter((name) => workload[name] === null);
  if (missing.length > 0) refuse(`synthetic load also needs ${missing.join(', ')}; or set traceFile`);
  const loads = [workload.concurrency, workload.requestRate, workload.arrivalIntervalMs];
  if (loads.filter((load) => load !== null).length !== 1)
    refuse('synthetic load needs exactly one of concurrency, requestRate, arrivalIntervalMs');
}

function checkRouter(
  { overlapCredits, prefillLoadScales }: OptimizeSpec['router'],
  refuse: (field: string, problem: string) => never,
): void {
  if (overlapCredits?.length === 0) refuse('overlapCredits', 'must not be empty');
  for (const credit of overlapCredits ?? [])
    if (!(credit >= 0 && Number.isFinite(credit)))
      refuse('overlapCredits', `must be finite and not negative, found ${credit}`);
  if (prefillLoadScales?.length === 0) refuse('prefillLoadScales', 'must not be empty');
  for (const scale of prefillLoadScales ?? [])
    if (!(scale >= 0)) refuse('prefillLoadScales', `must not be negative, found ${scale}`);
}

/** A spec with its defaults, as JSON under the reference's names; what JSON has no form for is null. */
export function specJson(spec: OptimizeSpec): string {
  const { semantics, ...reference } = spec;
  return textOf(semantics === SEMANTICS[0] ? reference : spec);
}

function textOf(value: unknown): string {
  if (value instanceof Map) return jsonText(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}:${textOf(member)}`)
    .join(',')}}`;
}
