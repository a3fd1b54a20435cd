import { Queue, Job as QueuedJob, QueueEvents } from 'bullmq';
import type { Evaluator, Job, Outcome } from '../job.js';
import { jobKey } from '../job-key.js';
import { connect, QUEUE, type QueueAddress } from './connection.js';

/** How often jobs are looked at whose end was not heard of. */
const LOOK_MS = 1_000;
/** How long outcomes are kept that nobody has fetched, in seconds. */
const KEPT_SECONDS = 3_600;
/** Tries before a job counts as failed. */
const ATTEMPTS = 3;

interface Waiting {
  job: Job;
  promise: Promise<Outcome>;
  settle(outcome: Outcome): void;
}

/**
 * Runs jobs on workers anywhere, by a queue. Jobs go by a name that follows from what they ask, so that the outcomes of a
 * search that was killed are found again, and a job that the server has lost is asked for once more.
 * @throws {InputError} when the server cannot be reached
 */
export async function queueEvaluator(address: QueueAddress): Promise<Evaluator> {
  const connection = await connect(address);
  const options = { connection, ...(address.prefix !== undefined && { prefix: address.prefix }) };
  const queue = new Queue<Job, Outcome>(QUEUE, options);
  const listener = connection.duplicate();
  const events = new QueueEvents(QUEUE, { ...options, connection: listener });
  const waiting = new Map<string, Waiting>();
  const quiet = () => {};
  // Connections come back by themselves; until then there is nothing to be done.
  listener.on('error', quiet);
  queue.on('error', quiet);
  events.on('error', quiet);

  async function add(id: string, job: Job): Promise<void> {
    await queue.add('run', job, {
      jobId: id,
      attempts: ATTEMPTS,
      removeOnComplete: { age: KEPT_SECONDS },
      removeOnFail: { age: KEPT_SECONDS },
    });
  }

  /** Finds out what has become of a job. */
  async function look(id: string): Promise<void> {
    const asked = waiting.get(id);
    if (!asked) return;
    // Read after the state, since a job that ends in between would be read without its outcome.
    const state = await queue.getJobState(id);
    const found = await QueuedJob.fromId<Job, Outcome>(queue, id);
    if (!found) return add(id, asked.job);
    if (state === 'completed') asked.settle(found.returnvalue);
    else if (state === 'failed') {
      const outcome = { failure: found.failedReason ?? 'failed', isInput: false };
      await found.remove();
      asked.settle(outcome);
    }
  }

  const lookSafely = (id: string) => void look(id).catch(quiet);
  events.on('completed', ({ jobId }) => lookSafely(jobId));
  events.on('failed', ({ jobId }) => lookSafely(jobId));
  const timer = setInterval(() => {
    for (const id of waiting.keys()) lookSafely(id);
  }, LOOK_MS);
  return {
    run(job) {
      const id = jobKey(job);
      const known = waiting.get(id);
      if (known) return known.promise;
      let settle: Waiting['settle'] = quiet;
      const promise = new Promise<Outcome>((resolve) => {
        settle = (outcome) => {
          waiting.delete(id);
          resolve(outcome);
        };
      });
      waiting.set(id, { job, promise, settle });
      void add(id, job)
        .then(() => look(id))
        .catch(quiet);
      return promise;
    },
    async close() {
      clearInterval(timer);
      await Promise.all([events.close(), queue.close()]);
      listener.disconnect();
      connection.disconnect();
    },
  };
}
