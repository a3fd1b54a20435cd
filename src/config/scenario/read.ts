import type { EngineType } from '../engine-type.js';
import { InputError } from '../input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../json.js';
import { readOverheads } from '../overheads.js';
import { readRouterConfig } from '../router-config.js';
import { estimatorArgs } from '../timing-args.js';
import { checkFleet, readStages } from './fleet.js';
import { idleSettings } from './idle.js';
import { type Liberties, libertiesOf } from './liberties.js';
import type { Names } from './names.js';
import type { ControlSpec, RouterSpec, Scenario, ServiceLevel, WorkloadSpec } from './scenario.js';
import { checkKeys, readSettings, type Setting, type Values } from './setting.js';
import {
  CONTROL,
  ESTIMATE,
  FLEET,
  GOALS,
  ROUTING,
  RULES,
  SETTINGS,
  SYNTHETIC,
  TIMING,
  WORKLOAD,
} from './settings.js';
import { checkWorkload, isSynthetic } from './workload.js';

/** The kinds that settings can name, the default ones first. */
export interface Kinds {
  readonly engines: readonly EngineType[];
  readonly routers: readonly { readonly name: string; readonly isBlind: boolean }[];
}

/**
 * Reads a scenario from its settings, every number exactly.
 * @param json settings by their names in JSON
 * @param names what they are called in messages
 * @throws {InputError} for the first problem: the setting, what was found and what is allowed
 */
export function readScenarioOf(kinds: Kinds, json: JsonValue, names: Names): Scenario {
  if (!(json instanceof Map)) throw new InputError(`${names.whole}: expected an object of settings`);
  checkKeys(json, SETTINGS, names);
  const given = withoutDefaults(json);
  const kindNames = {
    engines: kinds.engines.map(({ name }) => name),
    routers: kinds.routers.map(({ name }) => name),
  };
  const read = <T extends readonly Setting[]>(settings: T) => readSettings(given, settings, kindNames, names);
  const load = { ...read(WORKLOAD), ...read(SYNTHETIC) };
  const workload = { ...load, isSynthetic: isSynthetic(load) };
  const { semantics, beyondReference = false, mendFaults = false, check = false } = read(RULES);
  const rules = { semantics, beyondReference, mendsFaults: beyondReference && mendFaults };
  const fleet = read(FLEET);
  const { timing, overheads, aicSystems, strictTiming = false } = read(TIMING);
  const liberties = libertiesOf(rules, strictTiming);
  const scenario: Scenario = {
    workload,
    stages: readStages(fleet, timing, { engines: kinds.engines, liberties, names }),
    router: readRouter(read(ROUTING), read(ESTIMATE), kinds.routers, { liberties, names }),
    control: readControl(read(CONTROL), workload, liberties, names),
    overheads: readOverheads(overheads, names.of('overheads')),
    goals: read(GOALS),
    ...{ rules, liberties, aicSystems, given, checks: check },
    singleTokenPrefill: fleet.singleTokenPrefill ?? false,
    kvOffload: fleet.kvOffload ?? false,
    warnings: [],
  };
  checkWorkload(scenario, names);
  checkFleet(scenario, names);
  if (!liberties.takesAnyValue) checkGoals(scenario.goals, names);
  return { ...scenario, warnings: idleSettings(scenario, kinds.engines, names) };
}

/** Looks for bounds that say nothing, and for those of whole requests beside those of tokens. */
function checkGoals({ slaTtftMs, slaItlMs, slaE2eMs }: ServiceLevel, names: Names): void {
  const bounds = { sla_ttft_ms: slaTtftMs, sla_itl_ms: slaItlMs, sla_e2e_ms: slaE2eMs };
  for (const [key, bound] of Object.entries(bounds))
    if (bound === 0) throw new InputError(`${names.of(key)}: must be above 0, found 0`);
  if (slaE2eMs !== undefined && (slaTtftMs !== undefined || slaItlMs !== undefined)) {
    const [ttft, itl, e2e] = Object.keys(bounds).map(names.short);
    throw new InputError(`${e2e} cannot be combined with ${ttft} or ${itl}`);
  }
}

/** Settings without those that say what holds anyway. */
function withoutDefaults(json: JsonObject): JsonObject {
  const given: JsonObject = new Map(json);
  for (const setting of SETTINGS) {
    const value = json.get(setting.key);
    if (value !== undefined && saysNothing(value, setting)) given.delete(setting.key);
  }
  return given;
}

function saysNothing(value: JsonValue, { rule, default: usual, none }: Setting): boolean {
  if (rule.type === 'bool') return value === false;
  if (value instanceof JsonNumber) return [usual, none?.[0]].includes(Number(value.text));
  if (rule.type === 'paths') return Array.isArray(value) && value.length === 0;
  return (
    value === usual || (typeof value === 'string' && none?.includes(value.trim().toLowerCase()) === true)
  );
}

function readRouter(
  routing: Values<typeof ROUTING>,
  tables: Values<typeof ESTIMATE>,
  kinds: Kinds['routers'],
  { liberties, names }: { liberties: Liberties; names: Names },
): RouterSpec {
  const { routerMode: mode, modelName, routerSeed: seed, kvEventLagMs } = routing;
  const where = names.of('router_config');
  const settings = readRouterConfig(routing.routerConfig, routing.routerPolicyConfig, where, liberties);
  if (modelName === '') throw new InputError(`${names.of('model_name')}: must not be empty`);
  const looks = !kinds.find(({ name }) => name === mode)!.isBlind;
  if (kvEventLagMs !== undefined && !liberties.delaysEvents)
    throw new InputError(`${names.short('kv_event_lag_ms')} needs ${names.short('semantics')} dynamo-1.6`);
  if (kvEventLagMs !== undefined && !looks)
    throw new InputError(`${names.short('kv_event_lag_ms')} needs ${names.short('router_mode')} kv_router`);
  const isGiven = Object.values(tables).some((value) => value !== undefined);
  const flags = `the ${names.short('aic_')}* settings`;
  if (isGiven) {
    const { aicBackend, aicSystem, aicModelPath } = tables;
    const needed = { aic_backend: aicBackend, aic_system: aicSystem, aic_model_path: aicModelPath };
    const missing = Object.entries(needed).flatMap(([key, value]) => (value === undefined ? [key] : []));
    if (missing.length > 0)
      throw new InputError(
        `timing from AI Configurator also needs ${missing.map((key) => names.short(key)).join(', ')}`,
      );
    if (!looks) throw new InputError(`${flags} need ${names.short('router_mode')} kv_router`);
    if (settings.loadModel !== 'aic')
      throw new InputError(
        `${flags} need router_prefill_load_model "aic" in ${names.short('router_config')}`,
      );
  } else if (looks && settings.loadModel === 'aic')
    throw new InputError(`router_prefill_load_model "aic" needs ${flags}`);
  const estimate = estimatorArgs(tables);
  return { mode, looks, settings, modelName, seed, eventLagMs: kvEventLagMs ?? 0, estimate };
}

function readControl(
  {
    planner: policy,
    plannerConfig: settings,
    slaAttainment,
    disturbances,
    ...control
  }: Values<typeof CONTROL>,
  { traceFormat, maxSimTimeSeconds }: WorkloadSpec,
  { plansAnyTrace, capsPlanned }: Liberties,
  names: Names,
): ControlSpec {
  const { replayMode, benchmarkGranularity } = control;
  const common = { replayMode, benchmarkGranularity, disturbances, attainment: slaAttainment };
  if (maxSimTimeSeconds !== undefined && replayMode === 'online')
    throw new InputError(
      `${names.short('max_sim_time_seconds')} needs ${names.short('replay_mode')} offline`,
    );
  if (policy === undefined && settings === undefined) return { ...common, planner: undefined };
  const [named, asked] = [names.short('planner'), names.short('planner_config')];
  if (replayMode === 'online')
    throw new InputError(
      `${policy === undefined ? asked : named} needs ${names.short('replay_mode')} offline`,
    );
  if (policy === 'reference' && settings === undefined)
    throw new InputError(`${named} reference needs ${asked}`);
  // What the reference refuses beside its own flag holds for that alone.
  if (policy === undefined) {
    const format = names.short('trace_format');
    if (maxSimTimeSeconds !== undefined && !capsPlanned)
      throw new InputError(
        `${names.short('max_sim_time_seconds')} cannot be used with ${asked} alone; ${named} reference allows it`,
      );
    if (traceFormat !== 'mooncake' && traceFormat !== 'dynamo' && !plansAnyTrace)
      throw new InputError(
        `${asked} alone needs ${format} mooncake or dynamo, found ${traceFormat}; ${named} reference allows any`,
      );
  }
  return { ...common, planner: { policy: policy ?? 'reference', settings } };
}
