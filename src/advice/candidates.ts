import type { EngineArgs } from '../config/engine-type.js';
import type { Scenario } from '../config/scenario/scenario.js';
import type { Change } from './change.js';

/** Whether a change costs nothing, memory or GPUs. */
export type Kind = 'setting' | 'memory' | 'hardware';

/** A change worth a try. */
export interface Candidate {
  /** Changes of one family differ in how far they go: the best of them speaks for all. */
  family: string;
  kind: Kind;
  change: Change;
  /** As in "max_num_seqs 512 instead of 256". */
  text: string;
}

interface Engine {
  /** Its key in a configuration. */
  key: string;
  args: EngineArgs;
  /** As in "on decode workers"; empty in a fleet of one kind. */
  where: string;
}

const FACTORS = [2, 0.5, 4, 0.25];

/** Settings that could be otherwise, by what they change; what costs least comes first. */
export function candidates(scenario: Scenario, mayOffload: boolean): Candidate[] {
  const engines = enginesOf(scenario);
  return [
    ...engines.flatMap(engineSettings),
    ...routing(scenario),
    ...moves(scenario),
    ...engines.flatMap((engine) => memory(engine, scenario, mayOffload)),
    ...workers(scenario),
    ...engines.flatMap((engine) => tensorParallel(engine, scenario)),
    ...transfers(scenario),
  ];
}

function enginesOf({ stages }: Scenario): Engine[] {
  return stages.map(({ name, engine: args }) => ({
    key: name === '' ? 'extra_engine_args' : `${name}_engine_args`,
    args,
    where: name === '' ? '' : ` on ${name} workers`,
  }));
}

function engineSettings({ key, args, where }: Engine): Candidate[] {
  const found = args.type.tunables(args).flatMap(({ path, value, instead }) => {
    const name = path.slice(path.lastIndexOf('.') + 1);
    const to = (next: number | string | boolean): Candidate => ({
      family: `${key}.${name}`,
      kind: 'setting',
      change: { [`${key}.${path}`]: next },
      text: `${typeof next === 'boolean' ? `${name} on` : `${name} ${next} instead of ${value}`}${where}`,
    });
    if (typeof value !== 'number') return instead === undefined || instead === value ? [] : [to(instead)];
    if (!Number.isFinite(value)) return [];
    const others = FACTORS.map((factor) => Math.max(1, Math.round(value * factor)));
    return others.filter((other) => other !== value).map(to);
  });
  if (args.maxModelTokens === undefined) return found;
  const longer = 4 * args.maxModelTokens;
  return [
    ...found,
    {
      family: `${key}.max_model_len`,
      kind: 'setting',
      change: { [`${key}.max_model_len`]: longer },
      text: `max_model_len ${longer} instead of ${args.maxModelTokens}${where}`,
    },
  ];
}

function routing({ stages, router }: Scenario): Candidate[] {
  if (stages.every(({ workers: count }) => count < 2)) return [];
  if (!router.looks)
    return [
      {
        family: 'router_mode',
        kind: 'setting',
        change: { router_mode: 'kv_router' },
        text: 'router_mode kv_router instead of round_robin',
      },
    ];
  const found: Candidate[] = [
    {
      family: 'router_mode',
      kind: 'setting',
      change: { router_mode: 'round_robin', router_config: null },
      text: 'router_mode round_robin instead of kv_router',
    },
  ];
  for (const credit of [0.3, 0.05])
    found.push({
      family: 'overlap_score_credit',
      kind: 'setting',
      change: { 'router_config.overlap_score_credit': credit },
      text: `overlap_score_credit ${credit} of the router`,
    });
  const threshold = router.settings.queueThreshold;
  if (threshold !== undefined)
    found.push(
      ...[null, 4 * threshold].map(
        (value): Candidate => ({
          family: 'router_queue_threshold',
          kind: 'setting',
          change: { 'router_config.router_queue_threshold': value },
          text: `router_queue_threshold ${value ?? 'left out'} instead of ${threshold}`,
        }),
      ),
    );
  return found;
}

/** A worker of one stage that works for the other. */
function moves({ stages }: Scenario): Candidate[] {
  if (stages.length === 1) return [];
  const [p, d] = stages.map(({ workers: count }) => count);
  const moved = (prefill: number, decode: number): Candidate => ({
    family: prefill > p ? 'move_to_prefill' : 'move_to_decode',
    kind: 'setting',
    change: { num_prefill_workers: prefill, num_decode_workers: decode },
    text: `${prefill} prefill and ${decode} decode workers instead of ${p} and ${d}`,
  });
  return [...(p > 1 ? [moved(p - 1, d + 1)] : []), ...(d > 1 ? [moved(p + 1, d - 1)] : [])];
}

function memory(
  { key, args, where }: Engine,
  { stages, kvOffload }: Scenario,
  mayOffload: boolean,
): Candidate[] {
  if (args.estimatesBlocks) return [];
  const found = [2, 4].map(
    (factor): Candidate => ({
      family: `${key}.num_gpu_blocks`,
      kind: 'memory',
      change: { [`${key}.num_gpu_blocks`]: factor * args.gpuBlocks },
      text: `num_gpu_blocks ${factor * args.gpuBlocks} instead of ${args.gpuBlocks}${where}`,
    }),
  );
  const offloads = stages.length === 1 && args.type.traits.hasTiers && !kvOffload;
  const bytes = args.transfer.bytesPerToken;
  if (offloads && mayOffload && bytes !== undefined)
    found.push({
      family: 'kv_offload',
      kind: 'memory',
      change: { kv_offload: true, [`${key}.num_g2_blocks`]: 4 * args.gpuBlocks },
      text: `kv_offload with ${4 * args.gpuBlocks} blocks of host memory`,
    });
  return found;
}

function workers({ stages }: Scenario): Candidate[] {
  const counts = stages.map(
    ({ name, workers: count }) => [name === '' ? 'num_workers' : `num_${name}_workers`, count] as const,
  );
  return counts.flatMap(([key, count]) =>
    [...new Set([count + Math.ceil(count / 4), 2 * count])].map(
      (more): Candidate => ({
        family: key,
        kind: 'hardware',
        change: { [key]: more },
        text: `${key} ${more} instead of ${count}`,
      }),
    ),
  );
}

function tensorParallel({ key, args, where }: Engine, { given }: Scenario): Candidate[] {
  if (args.timing?.type === 'roofline' && given.has('timing') && args.given.timing === undefined) {
    const { tensorParallel: tp } = args.timing;
    return [
      {
        family: 'timing.tp',
        kind: 'hardware',
        change: { 'timing.tp': 2 * tp },
        text: `tensor parallelism ${2 * tp} instead of ${tp}`,
      },
    ];
  }
  if (args.aic) {
    const next = 2 * args.aic.tensorParallel;
    return [
      {
        family: `${key}.tensor_parallel`,
        kind: 'hardware',
        change: { [`${key}.aic_tp_size`]: next },
        text: `aic_tp_size ${next} instead of ${args.aic.tensorParallel}${where}`,
      },
    ];
  }
  return [];
}

function transfers({ stages }: Scenario): Candidate[] {
  if (stages.length === 1) return [];
  const speed = stages[0].engine.transfer.gigabytesPerSecond;
  if (speed === undefined || !(speed > 0)) return [];
  const change = Object.fromEntries(
    ['prefill_engine_args', 'decode_engine_args'].map((key) => [`${key}.kv_transfer_bandwidth`, 4 * speed]),
  );
  return [
    {
      family: 'kv_transfer_bandwidth',
      kind: 'hardware',
      change,
      text: `kv_transfer_bandwidth ${4 * speed} GB/s instead of ${speed}`,
    },
  ];
}
