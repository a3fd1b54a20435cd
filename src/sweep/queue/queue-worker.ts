import { Worker } from 'bullmq';
import type { Job, Outcome } from '../job.js';
import { type Pool, threadPool } from '../pool.js';
import { connect, QUEUE, type QueueAddress } from './connection.js';

/** How long a worker holds a job without a sign of life before others take it over. */
const LOCK_MS = 20_000;
/** How often a job may be taken over. */
const MOST_TAKEOVERS = 10;

export interface WorkerSettings extends QueueAddress {
  threads: number;
  /** After how long a simulation is given up. */
  timeoutMs: number;
  lockMs?: number | undefined;
  onDone?: ((outcome: Outcome) => void) | undefined;
}

export interface QueueWorker {
  /** Ends what is under way, and takes no more. */
  close(): Promise<void>;
}

/**
 * Takes jobs from a queue and runs them on threads, so that signs of life go on meanwhile.
 * @throws {InputError} when the server cannot be reached
 */
export async function queueWorker(settings: WorkerSettings): Promise<QueueWorker> {
  const { threads, timeoutMs, lockMs = LOCK_MS, prefix, onDone } = settings;
  const connection = await connect(settings);
  const pool = threadPool<Job, Outcome>('answer', threads);
  const worker = new Worker<Job, Outcome>(
    QUEUE,
    async ({ data }) => {
      const outcome = await withTimeout(pool, data, timeoutMs);
      onDone?.(outcome);
      return outcome;
    },
    {
      connection,
      concurrency: threads,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      maxStalledCount: MOST_TAKEOVERS,
      ...(prefix !== undefined && { prefix }),
    },
  );
  // A job that others have taken over meanwhile, or a server that is gone for a while.
  worker.on('error', () => {});
  return {
    async close() {
      await worker.close();
      await pool.close();
      connection.disconnect();
    },
  };
}

/** @throws {Error} when the simulation takes too long; its thread is ended */
async function withTimeout(pool: Pool<Job, Outcome>, job: Job, timeoutMs: number): Promise<Outcome> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    return await pool.run(job, abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? new Error(`gave up after ${timeoutMs / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
  }
}
