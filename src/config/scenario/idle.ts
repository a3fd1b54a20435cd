import type { EngineArgs, EngineType } from '../engine-type.js';
import type { Names } from './names.js';
import type { Scenario } from './scenario.js';
import type { Facts } from './setting.js';
import { SETTINGS } from './settings.js';

/**
 * Settings that were given and change nothing in a run, a sentence each.
 * @param types types of engines that there are
 */
export function idleSettings(scenario: Scenario, types: readonly EngineType[], names: Names): string[] {
  const { given, workload, stages, router } = scenario;
  const engines = stages.map(({ engine }) => engine);
  const facts: Facts = {
    given,
    name: (key) => names.short(key),
    traceFormat: workload.isSynthetic ? undefined : workload.traceFormat,
    isClosedLoop: workload.replayConcurrency !== undefined,
    isSplit: stages.length > 1,
    routes: router.looks,
    bypasses: router.settings.bypass !== undefined,
    engines,
  };
  const reasons = SETTINGS.filter(({ key }) => given.has(key)).map(
    ({ key, idle }) => [key, idle?.(facts)] as const,
  );
  return [
    ...reasons.flatMap(([key, because]) =>
      because ? [`${names.short(key)} has no effect: ${because}`] : [],
    ),
    ...engines.flatMap((engine) => idleKeys(engine, scenario, types, names)),
  ];
}

const OFFLOAD_KEYS = ['num_g3_blocks', 'enable_g4_storage', 'offload_batch_size'].concat(
  ['g1_to_g2', 'g2_to_g1', 'g2_to_g3', 'g3_to_g2', 'g2_to_g4', 'g4_to_g2'].map(
    (link) => `bandwidth_${link}_gbps`,
  ),
);
const LIVE_KEYS = [
  'enable_local_indexer',
  'bootstrap_port',
  'zmq_kv_events_port',
  'zmq_replay_port',
  'handoff_session_timeout_ms',
  'reasoning',
  'response_replay_trace_path',
];

type Rule = [keys: readonly string[], isIdle: boolean, because: string];

/** Keys of an engine that were given and change nothing. */
function idleKeys(
  engine: EngineArgs,
  { kvOffload, router, control, rules: release }: Scenario,
  types: readonly EngineType[],
  names: Names,
): string[] {
  const { type, workerType, given } = engine;
  const named = (those: readonly EngineType[]) => `engine_type ${those.map(({ name }) => name).join(' or ')}`;
  const own = new Set(types.flatMap(({ fields }) => Object.keys(fields)));
  const foreign = [...own].filter((key) => !Object.hasOwn(type.fields, key));
  const memoryKeys = types.map((each) => each.memoryKey);
  const memoryKey = (types.find(({ name }) => name === engine.aic?.backend) ?? type).memoryKey;
  const rules: Rule[] = [
    ...foreign.map(
      (key): Rule => [
        [key],
        true,
        `is for ${named(types.filter(({ fields }) => Object.hasOwn(fields, key)))}`,
      ],
    ),
    ...Object.entries(type.ignored(engine, release)).map(([key, because]): Rule => [[key], true, because]),
    [
      ['kv_transfer_bandwidth', 'kv_transfer_timing_mode'],
      workerType === 'aggregated',
      'is for prefill and decode workers',
    ],
    [OFFLOAD_KEYS, !kvOffload, `needs ${names.short('kv_offload')}`],
    [['aic_mtp_seed'], engine.acceptRates === undefined, 'needs aic_nextn'],
    [memoryKeys, !engine.estimatesBlocks, 'is for KV pools sized by what the GPU holds'],
    [
      memoryKeys.filter((key) => key !== memoryKey),
      engine.estimatesBlocks,
      `is for another engine; here ${memoryKey} counts`,
    ],
    [['router_queue_policy'], !router.looks, `needs ${names.short('router_mode')} kv_router`],
    [['startup_time'], control.planner === undefined, 'needs a planner'],
    [LIVE_KEYS, true, 'is for live workers'],
  ];
  return rules.flatMap(([keys, isIdle, because]) =>
    isIdle
      ? keys
          .filter((key) => Object.hasOwn(given, key))
          .map((key) => `${key} of an engine has no effect: it ${because}`)
      : [],
  );
}
