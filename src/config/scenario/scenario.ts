import type { EngineArgs } from '../engine-type.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { Overheads } from '../overheads.js';
import type { RouterSettings } from '../router-config.js';
import type { Rules } from '../rules.js';
import type { AicArgs } from '../timing-args.js';
import type { Liberties } from './liberties.js';
import type { Values } from './setting.js';
import type { GOALS, SYNTHETIC, WORKLOAD } from './settings.js';

/** What is replayed; the fields of a trace count without synthetic load, and the other way round. */
export type WorkloadSpec = Values<typeof WORKLOAD> &
  Values<typeof SYNTHETIC> & { readonly isSynthetic: boolean };

/** Bounds within which a request is good; undefined without. */
export type ServiceLevel = Values<typeof GOALS>;

type StageName = '' | 'prefill' | 'decode';

/** Equal workers behind one router. */
export interface StageSpec {
  /** Empty where workers serve requests from prompt to last token. */
  readonly name: StageName;
  readonly engine: EngineArgs;
  readonly workers: number;
}

export interface RouterSpec {
  /** The name of a kind of routers. */
  readonly mode: string;
  /** Whether it looks at workers. */
  readonly looks: boolean;
  readonly settings: RouterSettings;
  /** Profile in the file of policy classes. */
  readonly modelName: string | undefined;
  /** Of choices among equals; undefined for the default. */
  readonly seed: bigint | undefined;
  /** How long after a pass the router hears of what it cached. */
  readonly eventLagMs: number;
  /** What prefill load is estimated with; undefined where it is not. */
  readonly estimate: AicArgs | undefined;
}

interface PlannerSpec {
  /** `reference`, the name of a policy that is built in, or the path of a module. */
  readonly policy: string;
  /** Its settings, or the path of their file. */
  readonly settings: JsonValue | undefined;
}

/** Who changes the fleet, and whose clock it is. */
export interface ControlSpec {
  readonly replayMode: 'offline' | 'online';
  /** Who scales the fleet; undefined where nobody does. */
  readonly planner: PlannerSpec | undefined;
  /** How the fleet is worse than its description; undefined where it is not. */
  readonly disturbances: JsonValue | undefined;
  /** Part of the requests that shall keep the goals. */
  readonly attainment: number;
  readonly benchmarkGranularity: number;
}

/**
 * A run that has been described, checked as a whole and filled up with defaults. It is made by reading settings and does
 * not change; another one is made of it by setting some anew.
 */
export interface Scenario {
  readonly workload: WorkloadSpec;
  /** One, or those of prefill and decode. */
  readonly stages: readonly StageSpec[];
  readonly router: RouterSpec;
  readonly control: ControlSpec;
  readonly overheads: Overheads;
  readonly goals: ServiceLevel;
  readonly rules: Rules;
  readonly liberties: Liberties;
  /** Whether a prefill worker stops after the first token, rather than generating the whole output. */
  readonly singleTokenPrefill: boolean;
  /** Whether the cache tiers below the GPU's are simulated. */
  readonly kvOffload: boolean;
  /** Folder of AI Configurator tables; undefined for the usual one. */
  readonly aicSystems: string | undefined;
  /** Whether conservation laws are checked after every pass. */
  readonly checks: boolean;
  /** What was given and has no effect, a sentence each. */
  readonly warnings: readonly string[];
  /** The settings that differ from their defaults, as they were written: all of the above follows from them. */
  readonly given: ReadonlyMap<string, JsonValue>;
}

/** A scenario as JSON, from which it can be read again. */
export function scenarioJson({ given }: Scenario): JsonObject {
  return structuredCopy(new Map(given)) as JsonObject;
}

function structuredCopy(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [key, structuredCopy(inner)]));
  return value;
}
