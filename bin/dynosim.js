#!/usr/bin/env node
import { main } from '../dist/cli/main.js';

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));
