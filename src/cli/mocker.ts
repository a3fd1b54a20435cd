import { Command } from 'commander';
import type { MockerFlags } from '../live/dynamo/worker/mocker.js';
import { addEngineFlags, addPlaneFlags, addWorkerFlags } from './mocker-flags.js';

const EXAMPLES = `
Examples:
  DYN_FILE_KV=/tmp/kv dynosim mocker --model-path model --model-name tiny --discovery-backend file
  dynosim mocker --model-path model --num-workers 8 --data-parallel-size 2 --speedup-ratio 10`;

export function mockerCommand(): Command {
  const command = new Command('mocker')
    .description('Simulated workers inside a Dynamo deployment, with the flags of python -m dynamo.mocker')
    .addHelpText('after', EXAMPLES);
  addWorkerFlags(command);
  addEngineFlags(command);
  addPlaneFlags(command);
  return command.action(async (flags: MockerFlags) => {
    const { startMocker } = await import('../live/dynamo/worker/mocker.js');
    const mocker = await startMocker(flags, process.env, (line) =>
      process.stderr.write(`dynosim: warning: ${line}\n`),
    );
    for (const { id } of mocker.workers) process.stderr.write(`worker ${id.toString(16)} is ready\n`);
    await asked();
    await mocker.stop();
  });
}

/** Signals so soon after the first are the same wish, sent by several. */
const SAME_WISH_MS = 1000;

/** Waits for a signal to end; one that comes later ends at once. */
export function asked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve();
        const ignore = () => {};
        process.on(signal, ignore);
        setTimeout(() => {
          process.off(signal, ignore);
          process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
        }, SAME_WISH_MS).unref();
      });
  });
}
