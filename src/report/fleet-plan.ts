/** How many workers each stage shall have over time: starting and active ones, not those that finish what they have. */
export interface FleetPlan {
  readonly stages: readonly { readonly name: string; readonly workers: number; readonly gpus: number }[];
  /** By time. */
  readonly changes: readonly PlanChange[];
}

interface PlanChange {
  readonly at_s: number;
  /** A stage. */
  readonly component: string;
  readonly to: number;
}

/** GPUs of a plan as steps: from each time on, so many. */
function stepsOf({ stages, changes }: FleetPlan): { seconds: number; gpus: number }[] {
  const workers = new Map(stages.map((stage) => [stage.name, stage.workers]));
  const gpusOf = () => stages.reduce((sum, { name, gpus }) => sum + workers.get(name)! * gpus, 0);
  const steps = [{ seconds: 0, gpus: gpusOf() }];
  for (const { at_s, component, to } of changes) {
    workers.set(component, to);
    steps.push({ seconds: at_s, gpus: gpusOf() });
  }
  return steps;
}

/** GPU seconds by which a plan asks for more, and for less, than another one, up to a time. */
export function provisioning(
  plan: FleetPlan,
  other: FleetPlan,
  untilSeconds: number,
): { over: number; under: number } {
  const [own, others] = [stepsOf(plan), stepsOf(other)];
  const times = [...own, ...others].map(({ seconds }) => seconds).filter((at) => at < untilSeconds);
  times.sort((a, b) => a - b);
  const difference = { over: 0, under: 0 };
  let [ownAt, otherAt] = [0, 0];
  times.forEach((from, index) => {
    while (own[ownAt + 1]?.seconds <= from) ownAt++;
    while (others[otherAt + 1]?.seconds <= from) otherAt++;
    const more = own[ownAt].gpus - others[otherAt].gpus;
    const gpuSeconds = more * ((times[index + 1] ?? untilSeconds) - from);
    if (gpuSeconds > 0) difference.over += gpuSeconds;
    else difference.under -= gpuSeconds;
  });
  return difference;
}

/** Changes of a stage that take back the one before within a time: up and down again, or down and up. */
export function flapsOf({ stages, changes }: FleetPlan, withinSeconds: number): number {
  let flaps = 0;
  for (const { name, workers } of stages) {
    let before = workers;
    let last: { seconds: number; direction: number } | undefined;
    for (const { at_s, component, to } of changes) {
      if (component !== name || to === before) continue;
      const direction = Math.sign(to - before);
      if (last && direction !== last.direction && at_s - last.seconds <= withinSeconds) flaps++;
      last = { seconds: at_s, direction };
      before = to;
    }
  }
  return flaps;
}
