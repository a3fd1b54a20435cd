import type { EngineSignal, FleetCore } from '../engine/engine-core.js';
import type { EngineKind } from '../engine/kind.js';
import { PromptBlocks } from '../engine/kv/prompt-blocks.js';
import { RequestLog } from '../engine/request-log.js';
import { SchedulerRequests } from '../engine/requests.js';
import { fleetScenario } from '../setup/scenario.js';
import { PassClock } from '../timing/pass-clock.js';
import { polynomialTiming } from '../timing/timing-model.js';
import { RequestDraft } from '../workload/source.js';

const MOST_REQUESTS = 64;

/** A request for a rank on the bench; hash ids stand for `hashBlockTokens` tokens each. */
export interface BenchRequest {
  inputTokens: number;
  outputTokens: number;
  hashes?: readonly number[];
}

/** One rank of an engine without a fleet around it, for tests that drive its passes themselves. */
export class RankBench {
  readonly core: FleetCore;
  readonly log = new RequestLog();
  readonly requests: SchedulerRequests;
  /** Gaps that were noted: in milliseconds, and how often each. */
  readonly gaps: { ms: number; count: number }[] = [];
  private readonly blocks: PromptBlocks;
  private entered = 0;

  /** @param engineArgs as in `--extra-engine-args` */
  constructor(
    kind: EngineKind,
    engineArgs: object,
    hashBlockTokens: number,
    workerType: 'aggregated' | 'decode' = 'aggregated',
  ) {
    const json = (type?: string) =>
      JSON.stringify({ ...engineArgs, engine_type: kind.name, ...(type && { worker_type: type }) });
    const scenario = fleetScenario(
      workerType === 'aggregated'
        ? { extraEngineArgs: json() }
        : {
            prefillEngineArgs: json('prefill'),
            decodeEngineArgs: json('decode'),
            numPrefillWorkers: 1,
            numDecodeWorkers: 1,
            beyondReference: true,
          },
    );
    const args = scenario.stages[scenario.stages.length - 1].engine;
    this.requests = new SchedulerRequests(args.maxModelTokens);
    const { hasRadixTree } = kind.traits;
    this.blocks = new PromptBlocks({
      hashBlockTokens,
      blockTokens: args.blockTokens,
      hasTokens: false,
      isShared: args.prefixCaching || hasRadixTree,
      namesUnique: args.pool === 'kvbm' || hasRadixTree,
      pools: 1,
    });
    const clock = new PassClock(
      polynomialTiming,
      args.speedup,
      args.decodeSpeedup,
      args.blockTokens,
      args.gpuBlocks,
    );
    const { log, requests, blocks } = this;
    const gaps = {
      addShared: (ms: number, count: number) => void this.gaps.push({ ms, count }),
      addOwn: (_slot: number, ms: number) => void this.gaps.push({ ms, count: 1 }),
      addRun: (own: PassClock, startMs: number, batch: number, firstTokens: number, passes: number) => {
        const ends = new Float64Array(passes);
        own.decodeRun(startMs, batch, firstTokens, passes, Number.POSITIVE_INFINITY, ends);
        ends.forEach((endMs, pass) => {
          this.gaps.push({ ms: endMs - (pass === 0 ? startMs : ends[pass - 1]), count: batch });
        });
      },
    };
    const maker = kind.maker({
      ...{ args, rules: scenario.rules, clock, requests, blocks, log, gaps },
      hasTokens: false,
      isCapped: false,
      isWatched: false,
      listenersOf: () => undefined,
    });
    this.core = maker.create(0);
    log.growTo(MOST_REQUESTS);
    requests.growTo(MOST_REQUESTS);
    blocks.growTo(MOST_REQUESTS);
  }

  /** Fills the tables for a request. @returns its slot */
  enter({ inputTokens, outputTokens, hashes = [] }: BenchRequest): number {
    const slot = this.entered++;
    const draft = new RequestDraft();
    draft.inputTokens = inputTokens;
    draft.hashCount = hashes.length;
    draft.reserveHashes(hashes.length);
    draft.hashLow.set(hashes);
    this.log.clear(slot);
    this.blocks.enter(slot, draft);
    this.requests.enter(slot, inputTokens, outputTokens);
    this.requests.receivedMs[slot] = 0;
    return slot;
  }

  /** A request comes to the rank. @returns its slot */
  receive(request: BenchRequest): number {
    const slot = this.enter(request);
    this.core.receive(slot);
    return slot;
  }

  /** Makes one pass. @returns its end */
  pass(nowMs: number): number {
    const endMs = this.core.execute(nowMs);
    this.core.settle(endMs);
    this.core.check();
    return endMs;
  }

  /** Takes what happened to requests since the last call. */
  signals(): EngineSignal[] {
    const signals = this.core.signals.splice(0);
    for (const { slot, kind } of signals)
      if (kind === 'ended' || kind === 'rejected') this.blocks.leave(slot);
    return signals;
  }

  /** Slots whose requests ended since the last call. */
  ended(): number[] {
    return this.signals().flatMap(({ slot, kind }) => (kind === 'ended' ? [slot] : []));
  }
}
