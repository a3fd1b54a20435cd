import { statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

const SHORT_BYTES = 32 << 20;
const SHORT_REQUESTS = 100_000;
const FLAGS = ['--always-sparkplug', '--max-inlined-bytecode-size-cumulative=300'];

/**
 * A short run is over before the optimising compiler has caught up: compile plainly at once, and give the optimiser less
 * to do. A long run is faster with V8's own settings.
 */
export function compileForLength(traceFiles: readonly string[], requests: number | undefined): void {
  // Compiled code that is kept for later (scripts/bundle.mjs) is refused under other flags.
  if (process.env.DYNOSIM_KEEP_COMPILED === '1') return;
  const bytes = traceFiles.reduce(
    (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  if (bytes > SHORT_BYTES || (requests ?? 0) > SHORT_REQUESTS) return;
  for (const flag of FLAGS) setFlagsFromString(flag);
}
