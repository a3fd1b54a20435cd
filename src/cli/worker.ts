import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { float, positiveInteger } from './flags.js';

const DEFAULT_TIMEOUT_SECONDS = 600;

interface WorkerFlags {
  queue: string;
  threads?: number;
  timeout: number;
  quiet?: boolean;
}

export function workerCommand(): Command {
  return new Command('worker')
    .description('Run simulations of sweeps from a queue, until it is stopped')
    .requiredOption('--queue <url>', 'where jobs are queued: Redis or Valkey (redis://host:port)')
    .option('--threads <n>', 'simulations at once (default: one a core)', positiveInteger)
    .option('--timeout <s>', 'give a simulation up after so long', float, DEFAULT_TIMEOUT_SECONDS)
    .option('--quiet', 'print nothing but errors')
    .addHelpText(
      'after',
      `
Examples:
  dynosim worker --queue redis://queue.example:6379
  dynosim sweep study.yaml --queue redis://queue.example:6379`,
    )
    .action(async ({ queue, threads = availableParallelism(), timeout, quiet }: WorkerFlags) => {
      const { queueWorker } = await import('../sweep/queue/queue-worker.js');
      let done = 0;
      const worker = await queueWorker({
        ...{ url: queue, threads, timeoutMs: timeout * 1000 },
        onDone: () => {
          done++;
        },
      });
      if (!quiet) process.stdout.write(`waiting for jobs of ${queue} on ${threads} threads\n`);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      await worker.close();
      if (!quiet) process.stdout.write(`${done} simulations done\n`);
    });
}
