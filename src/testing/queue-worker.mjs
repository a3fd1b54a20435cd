// A worker of a queue whose locks are short, so that others soon take over what it leaves: URL [TIMEOUT_MS]
import { queueWorker } from '../../dist/sweep/queue/queue-worker.js';

const [url, timeoutMs = '60000'] = process.argv.slice(2);
await queueWorker({ url, threads: 1, timeoutMs: Number(timeoutMs), lockMs: 1500 });
