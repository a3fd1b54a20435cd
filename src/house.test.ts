import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SOURCE = fileURLToPath(new URL('.', import.meta.url));

/** Which rooms a room may import from; `.` are the files that stand outside all rooms. */
const MAY_IMPORT: Record<string, string[]> = {
  structures: [],
  random: [],
  config: [],
  timing: ['config'],
  'timing/aic': ['config', 'timing'],
  'timing/roofline': ['timing', 'timing/aic'],
  workload: ['config', 'random', 'structures'],
  traces: ['config', 'random', 'workload', 'structures'],
  'engine/kv': ['structures'],
  'engine/tiers': ['engine/kv'],
  engine: ['config', 'engine/kv', 'engine/tiers', 'timing', 'random', 'structures'],
  router: ['config', 'random', 'structures'],
  report: ['structures'],
  page: ['report'],
  planner: ['config', 'random'],
  simulation: [
    'config',
    'workload',
    'engine',
    'engine/kv',
    'engine/tiers',
    'timing',
    'router',
    'report',
    'structures',
  ],
  setup: [
    'config',
    'workload',
    'traces',
    'engine',
    'timing',
    'timing/aic',
    'timing/roofline',
    'router',
    'report',
    'planner',
    'simulation',
  ],
  '.': [
    'live',
    'setup',
    'config',
    'workload',
    'timing',
    'timing/aic',
    'report',
    'router',
    'simulation',
    'planner',
    'sweep',
  ],
  calibrate: ['.', 'setup', 'config', 'traces', 'report'],
  advice: ['.', 'setup', 'config', 'report', 'simulation'],
  sweep: [
    '.',
    'setup',
    'config',
    'random',
    'workload',
    'report',
    'simulation',
    'timing',
    'timing/aic',
    'timing/roofline',
  ],
  live: [
    '.',
    'setup',
    'config',
    'engine',
    'engine/kv',
    'random',
    'report',
    'router',
    'simulation',
    'timing',
    'workload',
  ],
  cli: [
    '.',
    'setup',
    'advice',
    'calibrate',
    'live',
    'planner',
    'sweep',
    'traces',
    'timing',
    'timing/aic',
    'timing/roofline',
    'config',
    'workload',
    'report',
    'simulation',
  ],
};

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('testing'),
);

function roomOf(file: string): string {
  const folder = dirname(file);
  return Object.keys(MAY_IMPORT)
    .filter((room) => folder === room || folder.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  const paths = [...text.matchAll(/(?:from |import\()'(\.[^']+)\.js'/g)].map((match) => match[1]);
  return paths.map((path) => `${relative(SOURCE, resolve(SOURCE, dirname(file), path))}.ts`);
}

describe('the house', () => {
  it.each(files)('%s imports only from rooms below it', (file) => {
    const room = roomOf(file);
    expect(room).toBeDefined();
    for (const target of importsOf(file)) {
      expect(files).toContain(target);
      expect([room, ...MAY_IMPORT[room]]).toContain(roomOf(target));
    }
  });

  it('has no import cycle', () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      expect(path, `cycle through ${file}`).not.toContain(file);
      if (done.has(file)) return;
      for (const target of importsOf(file)) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('needs no Node in the rooms that a browser or a worker may run', () => {
    const core = /^(config|random|engine|router|simulation|planner)\//;
    for (const file of files.filter((name) => core.test(name)))
      expect(readFileSync(join(SOURCE, file), 'utf8'), file).not.toMatch(
        /from 'node:|\bprocess\.|\bBuffer\b/,
      );
  });

  it('keeps chance and the wall clock out of the simulated world', () => {
    const simulated = files.filter((file) => !/^(cli|replay|live\/clock)/.test(file));
    for (const file of simulated)
      expect(readFileSync(join(SOURCE, file), 'utf8')).not.toMatch(/Math\.random|Date\.now|performance\.now/);
  });
});
