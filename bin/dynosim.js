#!/usr/bin/env node
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import nodeModule, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const FILE = fileURLToPath(new URL('../dist/command/dynosim.cjs', import.meta.url));
/** What V8 of this version compiled of the file when the program was built (scripts/bundle.mjs). */
const COMPILED = `${FILE}.${process.versions.v8}`;
const KEEPS_COMPILED = process.env.DYNOSIM_KEEP_COMPILED === '1';

/** The command's `main`, from compiled code where there is some; otherwise Node 22 and later keep their own of it. */
function loadMain() {
  const require = createRequire(FILE);
  if (!KEEPS_COMPILED && !existsSync(COMPILED)) {
    nodeModule.enableCompileCache?.();
    return require(FILE).main;
  }
  // All but comments is ASCII, of which Latin-1 is read fastest.
  const source = readFileSync(FILE, 'latin1');
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: FILE,
    cachedData: KEEPS_COMPILED ? undefined : readFileSync(COMPILED),
  });
  if (KEEPS_COMPILED) process.on('exit', () => writeFileSync(COMPILED, script.createCachedData()));
  // Compiled code that was kept cannot import modules itself.
  const module = { exports: {}, importModule: (name) => import(name) };
  script.runInThisContext()(module.exports, require, module, FILE, dirname(FILE));
  return module.exports.main;
}

// A reader that has seen enough, such as `head`, is no error; a full disk is one.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`dynosim: error: cannot write to standard output (${error.message})\n`);
  process.exit(1);
});

process.exitCode = await loadMain()(process.argv.slice(2));
