import { Piscina } from 'piscina';

/** Gives tasks to whoever is free. */
export interface Pool<Task, Answer> {
  run(task: Task): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * A pool of threads.
 * @param worker a module whose `answer` does a task; tasks and answers are copied
 */
export function threadPool<Task, Answer>(worker: URL, threads: number): Pool<Task, Answer> {
  const pool = new Piscina({
    filename: worker.href,
    name: 'answer',
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
  });
  return {
    run: (task) => pool.run(task) as Promise<Answer>,
    close: () => pool.destroy(),
  };
}

/** Does tasks here, one after the other. */
export function inlinePool<Task, Answer>(answer: (task: Task) => Promise<Answer>): Pool<Task, Answer> {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(task) {
      const done = last.then(() => answer(task));
      last = done.catch(() => {});
      return done;
    },
    close: async () => {},
  };
}
