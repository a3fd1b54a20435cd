// Builds the command into one file, dist/command/dynosim.cjs, and keeps V8's compiled code of it beside it: most of the
// time of a short command is reading and compiling modules. The library stays as tsc wrote it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'dist/command';
/** Packages that a replay does not load, each with a CommonJS build, and those with native parts. */
const NOT_BUNDLED = [
  'zod',
  'hash-wasm',
  'hono',
  '@hono/*',
  '@huggingface/*',
  'prom-client',
  'piscina',
  'bullmq',
  'ioredis',
  'zeromq',
  'etcd3',
  '@nats-io/*',
];
/** Modules of Node that cost milliseconds to load and that a plain replay hardly uses. */
const LATE = ['child_process', 'crypto', 'perf_hooks', 'readline', 'worker_threads', 'zlib'];

/** Modules of Node whose exports are looked up when they are used. */
const lateModules = {
  name: 'late-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${LATE.join('|')})$`) }, ({ path }) => ({
      path: path.replace('node:', ''),
      namespace: 'late',
    }));
    onLoad({ filter: /./, namespace: 'late' }, async ({ path }) => {
      const names = Object.keys(await import(`node:${path}`)).filter((name) => name !== 'default');
      const getters = names.map((name) => `get ${name}() { return late().${name}; }`);
      return {
        contents: `const late = () => process.getBuiltinModule('${path}');\nmodule.exports = { ${getters.join(', ')} };`,
      };
    });
  },
};

rmSync(FOLDER, { recursive: true, force: true });
const { outputFiles } = await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: `${FOLDER}/dynosim.cjs`,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  external: NOT_BUNDLED,
  alias: { fflate: 'fflate/browser' },
  plugins: [lateModules],
  define: { 'import.meta.url': 'commandFileUrl' },
  banner: {
    js: `const commandFileUrl = require('node:url').pathToFileURL(__filename).href;
const importModule = module.importModule ?? ((name) => import(name));`,
  },
  logLevel: 'warning',
  write: false,
});
mkdirSync(FOLDER, { recursive: true });
for (const { path, text } of outputFiles)
  writeFileSync(path, text.replaceAll('await import(', 'await importModule('));

// What a small replay runs is compiled and kept.
const scratch = mkdtempSync(join(tmpdir(), 'dynosim-'));
try {
  execFileSync(
    process.execPath,
    ['bin/dynosim.js', 'replay', 'examples/chat.jsonl', '--report-json', join(scratch, 'report.json')],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DYNOSIM_KEEP_COMPILED: '1' } },
  );
} finally {
  rmSync(scratch, { recursive: true });
}
