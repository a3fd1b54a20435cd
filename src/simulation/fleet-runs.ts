import type { EngineArgs } from '../config/engine-type.js';
import type { WorkerUse } from '../report/report.js';
import { Agenda } from './agenda.js';
import { Fleet } from './fleet.js';
import { FleetFlow } from './fleet-flow.js';
import { LoneRules } from './lone-rules.js';
import { poolSections } from './pool-use.js';
import { FleetRun, MIN_SECONDS } from './run.js';
import type { FleetRunOptions, SplitRunOptions } from './run-options.js';
import { RUN_RULES } from './run-rules.js';
import { SplitFleet } from './split-fleet.js';
import { SplitFlow } from './split-flow.js';
import { Traffic } from './traffic.js';

/** Whether a worker is alone, for which the reference has rules of its own. */
export function isLone({ workers, args, routing, scales, rules }: FleetRunOptions): boolean {
  return (
    RUN_RULES[rules.semantics].hasLoneLoop &&
    !scales &&
    workers === 1 &&
    args.ranks === 1 &&
    routing.kind.isBlind
  );
}

/** A run of workers that serve requests from prompt to last token. */
export function fleetRun(options: FleetRunOptions): FleetRun {
  const traffic = new Traffic();
  const fleet = openFleet(options, options.countsTraffic ? traffic : undefined);
  const agenda = new Agenda(RUN_RULES[options.rules.semantics].ordersByKind);
  const fail = (): never => {
    throw fleet.deadEnd();
  };
  const lone = isLone(options) ? new LoneRules(options.isOpenLoop, fail) : undefined;
  const flow = new FleetFlow(fleet, agenda, lone);
  return new FleetRun({
    ...options,
    flow,
    agenda,
    traffic,
    useOf: ([seconds], collector) =>
      fleetUse(
        fleet,
        flow.isLone ? Math.max(collector.durationMs / 1000, MIN_SECONDS) : seconds,
        flow.stages[0].group.committedTokens,
      ),
  });
}

export function openFleet(options: FleetRunOptions, traffic?: Traffic): Fleet {
  const isAlone = isLone(options);
  return new Fleet({
    ...options,
    traffic,
    isCapped: options.capMs !== Number.POSITIVE_INFINITY || options.executesAll,
    namesWorkers: !isAlone,
    namesSessions: options.namesSessions && !isAlone,
  });
}

/** @param committedPrefillTokens prompt tokens that passes computed which have ended */
export function fleetUse({ pool }: Fleet, decodeSeconds: number, committedPrefillTokens: number): WorkerUse {
  return {
    committedPrefillTokens,
    prefillSeconds: 0,
    decodeSeconds,
    prefillGpus: 0,
    decodeGpus: gpusOf(pool.args),
    sections: poolSections(pool.use, ''),
  };
}

/** GPUs of a worker. */
function gpusOf({ tensorParallel, ranks }: EngineArgs): number {
  return tensorParallel * ranks;
}

/** A run of prefill and decode workers. */
export function splitRun(options: SplitRunOptions): FleetRun {
  const traffic = new Traffic();
  const isCapped = options.capMs !== Number.POSITIVE_INFINITY || options.executesAll;
  const fleet = new SplitFleet({
    ...options,
    isCapped,
    traffic: options.countsTraffic ? traffic : undefined,
  });
  const agenda = new Agenda(RUN_RULES[options.rules.semantics].ordersByKind);
  const flow = new SplitFlow(fleet, agenda);
  return new FleetRun({
    ...options,
    flow,
    agenda,
    traffic,
    useOf: ([prefillSeconds, decodeSeconds]) => ({
      committedPrefillTokens: flow.stages.reduce((sum, { group }) => sum + group.committedTokens, 0),
      prefillSeconds,
      decodeSeconds,
      prefillGpus: gpusOf(options.prefill.args),
      decodeGpus: gpusOf(options.decode.args),
      sections: {
        ...poolSections(fleet.prefill.use, 'prefill_'),
        ...poolSections(fleet.decode.use, 'decode_'),
        ...(options.bypass && { bypassed_requests: fleet.bypassed }),
      },
    }),
  });
}
