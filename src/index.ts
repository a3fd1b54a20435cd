/** The public interface of dynosim as a library. */
export { InputError } from './config/input-error.js';
export type { ReplayOptions } from './config/scenario/options.js';
export type { TraceFormat } from './config/trace-formats.js';
export type {
  Planner,
  PlannerView,
  RankPass,
  StageView as PlannedStageView,
  Targets,
  Traffic,
  WorkerCapacity,
  WorkerLoad,
} from './planner/planner.js';
export { replay } from './replay.js';
export { recordJson, reportJson } from './report/json.js';
export type { RequestOutcome } from './report/outcome.js';
export type { Report } from './report/report.js';
export type { ReplayResult } from './report/result.js';
export { openRun, type RunSettings } from './setup/open-run.js';
export type { CreatePlanner, PolicyFleet } from './setup/planner/policy-source.js';
export type { Run, StagePasses, TrafficWindow } from './simulation/run.js';
export { RunError } from './simulation/run-error.js';
export type { RankView, StageName, StageView, WorkerView } from './simulation/views.js';
export { SpecDocument } from './sweep/document.js';
export type { Evaluator, Job, Outcome } from './sweep/job.js';
export { searchAggregated, searchBoth, searchSplit } from './sweep/optimize/search.js';
export { readOptimizeSpec } from './sweep/optimize/spec.js';
export { inlineEvaluator } from './sweep/run-job.js';
export type { Entry } from './sweep/study/ledger.js';
export { readStudySpec } from './sweep/study/read-spec.js';
export type { StudySpec } from './sweep/study/spec.js';
export { runStudy, type StudyHooks, type StudyResult } from './sweep/study/study.js';
export { threadEvaluator } from './sweep/threads.js';
export { type GenerateOptions, generateTrace } from './workload/generate.js';
