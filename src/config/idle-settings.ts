import type { EngineArgs, EngineType } from './engine-type.js';
import type { ReplayPlan } from './replay-options.js';

/**
 * Settings that were given and change nothing in a run, a sentence each. Flags of the command line that have a default
 * count as given when they differ from it.
 */
export function idleSettings(plan: ReplayPlan): string[] {
  const { options, topology } = plan;
  const isKvRouter = options.routerMode === 'kv_router';
  const isSplit = topology.kind === 'split';
  const isClosed = options.replayConcurrency !== undefined;
  const format = plan.isSynthetic ? undefined : plan.traceFormat;
  const engines = isSplit ? [topology.prefill, topology.decode] : [topology.engine];
  const rules: [isGiven: boolean, flag: string, isIdle: boolean, because: string][] = [
    [
      options.routerConfig !== undefined,
      '--router-config',
      !isKvRouter && plan.bypass === undefined,
      'needs --router-mode kv_router',
    ],
    [
      options.routerPolicyConfig !== undefined,
      '--router-policy-config',
      !isKvRouter,
      'needs --router-mode kv_router',
    ],
    [options.routerSeed !== undefined, '--router-seed', !isKvRouter, 'needs --router-mode kv_router'],
    [
      options.traceBlockSize !== undefined,
      '--trace-block-size',
      format === undefined,
      'synthetic load has no hash ids',
    ],
    [
      (options.traceSharedPrefixRatio ?? 0) !== 0,
      '--trace-shared-prefix-ratio',
      format !== 'applied_compute_agentic',
      'is for --trace-format applied_compute_agentic',
    ],
    [
      (options.traceNumPrefixGroups ?? 0) !== 0,
      '--trace-num-prefix-groups',
      format !== 'applied_compute_agentic',
      'is for --trace-format applied_compute_agentic',
    ],
    [
      (options.arrivalSpeedupRatio ?? 1) !== 1,
      '--arrival-speedup-ratio',
      isClosed || format === undefined,
      isClosed ? 'closed loop has no arrival times' : 'synthetic load has a rate of its own',
    ],
    [
      options.arrivalSeed !== undefined,
      '--arrival-seed',
      options.requestRate === undefined,
      'needs --request-rate',
    ],
    [
      (options.numPrefixGroups ?? 0) !== 0,
      '--num-prefix-groups',
      (options.sharedPrefixRatio ?? 0) === 0,
      'needs --shared-prefix-ratio',
    ],
    [
      (options.interTurnDelayMs ?? 0) !== 0,
      '--inter-turn-delay-ms',
      (options.turnsPerSession ?? 1) === 1,
      'needs --turns-per-session',
    ],
    [
      (options.benchmarkGranularity ?? 8) !== 8,
      '--benchmark-granularity',
      options.plannerConfig === undefined,
      'needs --planner-config',
    ],
    [options.singleTokenPrefill === true, '--single-token-prefill', !isSplit, 'needs prefill workers'],
    [
      options.aicSystems !== undefined,
      '--aic-systems',
      !engines.some((engine) => engine.aic) && plan.routerAic === undefined,
      'no engine takes its timing from AI Configurator',
    ],
    [
      options.timing !== undefined,
      '--timing',
      engines.every((engine) => engine.aic !== undefined || engine.timingGridPath !== undefined),
      'every engine names its own timing',
    ],
  ];
  const idle = rules.filter(([isGiven, , isIdle]) => isGiven && isIdle);
  return [
    ...idle.map(([, flag, , because]) => `${flag} has no effect: ${because}`),
    ...engines.flatMap((engine) => idleKeys(engine, plan)),
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
const MEMORY_KEYS = ['gpu_memory_utilization', 'mem_fraction_static', 'free_gpu_memory_fraction'];

/** Keys of an engine that were given and change nothing. */
function idleKeys(engine: EngineArgs, { options, types }: ReplayPlan): string[] {
  const { type, workerType } = engine;
  const named = (those: readonly EngineType[]) => `engine_type ${those.map(({ name }) => name).join(' or ')}`;
  const foreign = types
    .flatMap(({ fields }) => Object.keys(fields))
    .filter((key) => !Object.hasOwn(type.fields, key));
  const rules: [keys: readonly string[], isIdle: boolean, because: string][] = [
    ...foreign.map((key): [string[], boolean, string] => [
      [key],
      true,
      `is for ${named(types.filter(({ fields }) => Object.hasOwn(fields, key)))}`,
    ]),
    [type.ignores, true, `is not for ${named([type])}`],
    [
      ['kv_transfer_bandwidth', 'kv_transfer_timing_mode'],
      workerType === 'aggregated',
      'is for prefill and decode workers',
    ],
    [OFFLOAD_KEYS, options.kvOffload !== true, 'needs --kv-offload'],
    [['aic_mtp_seed'], engine.acceptRates === undefined, 'needs aic_nextn'],
    [MEMORY_KEYS, !engine.estimatesBlocks, 'is for KV pools sized by what the GPU holds'],
    [['router_queue_policy'], options.routerMode !== 'kv_router', 'needs --router-mode kv_router'],
    [['startup_time'], options.plannerConfig === undefined, 'needs a planner'],
    [LIVE_KEYS, true, 'is for live workers'],
  ];
  return rules.flatMap(([keys, isIdle, because]) =>
    isIdle
      ? keys
          .filter((key) => Object.hasOwn(engine.given, key))
          .map((key) => `${key} of an engine has no effect: it ${because}`)
      : [],
  );
}
