import type { PlannerView, Targets } from '../planner.js';
import { diagnosticsJson, type TickDiagnostics } from '../reference/diagnostics.js';
import type { NativeTimes } from '../reference/engine-models.js';
import { ReferencePlanner } from '../reference/reference-planner.js';
import type { Decision, Transcript } from './transcript.js';

/** What our planner decides at a tick of a transcript, in the names of the transcript. */
interface CheckedTick {
  readonly decision: { target_prefill: number | null; target_decode: number | null; next_tick_ms: number };
  readonly scale_to: { num_prefill: number | null; num_decode: number } | null;
  readonly diagnostics: Record<string, unknown>;
}

export interface CheckResult {
  readonly ticks: readonly CheckedTick[];
  /** Part of the ticks with a decision at which ours is the same; 1 without any. */
  readonly match_rate: number;
  /** Times at which the decisions differ, in milliseconds. */
  readonly differences: readonly {
    readonly at_ms: number;
    readonly recorded: Decision;
    readonly ours: Decision;
  }[];
}

/** Shows our planner what another planner saw, tick by tick. */
export function checkTranscript(transcript: Transcript, nativeTimes?: NativeTimes): CheckResult {
  const { config, prefill, decode } = transcript;
  const planner = new ReferencePlanner({ config, prefill, decode, ...(nativeTimes && { nativeTimes }) });
  planner.bootstrap(transcript.bootstrap);
  const ticks: CheckedTick[] = [];
  const differences: CheckResult['differences'][number][] = [];
  let compared = 0;
  for (const { view, decision } of transcript.ticks) {
    const targets = planner.tick(view);
    const ours = decisionOf(view, targets);
    ticks.push({
      decision: {
        target_prefill: ours.prefill,
        target_decode: ours.decode,
        next_tick_ms: planner.nextTickMs,
      },
      scale_to: scaleToJson(planner.diagnostics!),
      diagnostics: { ...diagnosticsJson(planner.diagnostics!), execute_action: 'apply' },
    });
    if (!decision) continue;
    compared++;
    if (decision.prefill !== ours.prefill || decision.decode !== ours.decode)
      differences.push({ at_ms: view.nowMs, recorded: decision, ours });
  }
  return { ticks, match_rate: compared === 0 ? 1 : 1 - differences.length / compared, differences };
}

/** The runtime is given both targets, also that of a stage that does not exist: none. */
function decisionOf(view: PlannerView, targets: Targets | undefined): Decision {
  if (!targets) return { prefill: null, decode: null };
  const present = (index: number) => view.stages[index].active.length + view.stages[index].starting.length;
  if (view.stages.length === 1) return { prefill: 0, decode: targets.agg ?? present(0) };
  return { prefill: targets.prefill ?? present(0), decode: targets.decode ?? present(1) };
}

function scaleToJson({ scaleTo }: TickDiagnostics): CheckedTick['scale_to'] {
  return scaleTo ? { num_prefill: scaleTo.prefill ?? null, num_decode: scaleTo.decode } : null;
}
