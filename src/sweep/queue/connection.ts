import { Redis } from 'ioredis';
import { InputError } from '../../config/input-error.js';

/** The queue of jobs; its number changes with what jobs and outcomes look like. */
export const QUEUE = 'dynosim-sweep-1';

const PATIENCE_MS = 5_000;
/** Between attempts to reach a server that is gone. */
const FIRST_DELAY_MS = 50;
const MOST_DELAY_MS = 2_000;

/** Where jobs are queued: Redis or Valkey. */
export interface QueueAddress {
  url: string;
  /** What keys begin with, so that several users share a server. */
  prefix?: string | undefined;
}

/**
 * Opens a connection that comes back whenever the server does.
 * @throws {InputError} when there is no server at first
 */
export async function connect({ url }: QueueAddress): Promise<Redis> {
  if (!/^rediss?:\/\//.test(url)) throw new InputError(`--queue: expected redis://host:port, found ${url}`);
  await probe(url);
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * times),
  });
  // Until the server is back there is nothing to be done.
  redis.on('error', () => {});
  return redis;
}

/** @throws {InputError} when no server answers */
async function probe(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: PATIENCE_MS,
    maxRetriesPerRequest: 0,
  });
  let problem = '';
  redis.on('error', ({ message, code }: NodeJS.ErrnoException) => {
    problem = code ?? message;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw new InputError(`--queue: cannot reach ${url} (${problem || (error as Error).message})`);
  } finally {
    redis.disconnect();
  }
}
