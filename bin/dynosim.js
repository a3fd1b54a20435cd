#!/usr/bin/env node

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const { main } = await import('../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
