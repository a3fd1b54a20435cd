/** The report so far, by key. */
export type Numbers = Readonly<Record<string, unknown>>;

/** What a worker did, as the report tells it. */
export type WorkerNumbers = Record<string, number>;

/** The workers of a fleet, or of one of its stages. */
export interface Pool {
  stage: '' | 'prefill' | 'decode';
  workers: readonly WorkerNumbers[];
}

/** The workers of a run, by stage. */
export function poolsOf(report: Numbers): Pool[] {
  return (['', 'prefill', 'decode'] as const).flatMap((stage): Pool[] => {
    const workers = report[stage === '' ? 'workers' : `${stage}_workers`] as WorkerNumbers[] | undefined;
    return workers ? [{ stage, workers }] : [];
  });
}

export function sumOf(workers: readonly WorkerNumbers[], key: string): number {
  return workers.reduce((total, worker) => total + worker[key], 0);
}
