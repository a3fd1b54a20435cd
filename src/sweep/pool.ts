import { setImmediate } from 'node:timers/promises';
import { Piscina } from 'piscina';

/** Gives tasks to whoever is free. */
export interface Pool<Task, Answer> {
  /** Does a task as soon as there is room for it. @param signal ends it, with its thread where it has one */
  run(task: Task, signal?: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * A pool of threads. Each keeps the timing tables and traces that it has opened.
 * @param name the function of thread-worker.ts that does a task; tasks and answers are copied
 */
export function threadPool<Task, Answer>(name: string, threads: number): Pool<Task, Answer> {
  const pool = new Piscina({
    filename: new URL('../sweep/thread-worker.js', import.meta.url).href,
    name,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    maxQueue: Number.POSITIVE_INFINITY,
  });
  return {
    run: (task, signal) => pool.run(task, { signal: signal ?? null }) as Promise<Answer>,
    close: () => pool.destroy(),
  };
}

/** Does tasks here, one after the other. */
export function inlinePool<Task, Answer>(answer: (task: Task) => Promise<Answer>): Pool<Task, Answer> {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(task) {
      const done = last.then(() => setImmediate()).then(() => answer(task));
      last = done.catch(() => {});
      return done;
    },
    close: async () => {},
  };
}
