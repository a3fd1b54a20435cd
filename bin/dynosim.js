#!/usr/bin/env node

// A reader that has seen enough, such as `head`, is no error; a full disk is one.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`dynosim: error: cannot write to standard output (${error.message})\n`);
  process.exit(1);
});

const { main } = await import('../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
