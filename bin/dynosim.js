#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A run lasts a fraction of a second, most of it before the optimising compiler has caught up: compile plainly at once,
// and give the optimiser less to do.
for (const flag of ['--always-sparkplug', '--max-inlined-bytecode-size-cumulative=300', '--no-use-osr'])
  setFlagsFromString(flag);

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const { main } = await import('../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
