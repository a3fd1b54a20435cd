import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fitTiming, fittedTiming } from './fitted.js';
import { readPasses } from './read-table.js';
import { type MeasuredPass, TableTiming } from './table.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-timing-'));
afterAll(() => rmSync(folder, { recursive: true }));

const passes: MeasuredPass[] = [
  { phase: 'prefill', batch: 1, tokens: 100, context: 0, ms: 10 },
  { phase: 'prefill', batch: 1, tokens: 300, context: 0, ms: 20 },
  { phase: 'prefill', batch: 2, tokens: 100, context: 1000, ms: 30 },
  { phase: 'decode', batch: 1, tokens: 1, context: 100, ms: 5 },
  { phase: 'decode', batch: 1, tokens: 1, context: 300, ms: 7 },
  { phase: 'decode', batch: 3, tokens: 1, context: 200, ms: 10 },
];

describe('measured passes', () => {
  const timing = new TableTiming(passes);

  it('are given back, blended between and continued beyond', () => {
    expect(timing.prefillMs(1, 100, 0)).toBe(10);
    expect(timing.prefillMs(2, 100, 0)).toBe(15);
    expect(timing.prefillMs(2, 100, 500)).toBe(22.5);
    expect(timing.prefillMs(1, 500, 0)).toBe(30);
    expect(timing.decodeMs(1, 0, 200)).toBe(6);
    expect(timing.decodeMs(2, 0, 200)).toBe(8);
    expect(timing.decodeMs(5, 0, 200)).toBe(14);
  });

  it('are read from CSV and JSON alike', () => {
    const csv = join(folder, 'steps.csv');
    const rows = passes.map(({ phase, batch, tokens, context, ms }) =>
      [phase, batch, tokens, context, ms].join(),
    );
    writeFileSync(csv, `phase,batch,tokens,context,ms\n${rows.join('\n')}\n`);
    const json = join(folder, 'steps.json');
    writeFileSync(json, JSON.stringify(passes));
    expect(readPasses(csv)).toEqual(passes);
    expect(readPasses(json)).toEqual(passes);
  });

  it.each([
    ['phase,batch,tokens,ms\n', /:1: has no column context/],
    ['phase,batch,tokens,context,ms\nwarm,1,1,1,1\n', /:2: phase: .*found warm/],
    ['phase,batch,tokens,context,ms\nprefill,1,x,1,1\n', /:2: tokens: .*found x/],
    ['phase,batch,tokens,context,ms\nprefill,1,1,1,-1\n', /:2: ms: .*found -1/],
    ['phase,batch,tokens,context,ms\nprefill,1,1,1,1\n', /has no decode row/],
    ['[{"phase":"prefill"', /not valid JSON/],
  ])('that are wrong are refused with their place: %j', (text, says) => {
    const path = join(folder, 'bad.csv');
    writeFileSync(path, text);
    expect(() => readPasses(path)).toThrow(says);
  });
});

describe('fitted timing', () => {
  it('recovers the coefficients that made the passes', () => {
    const positive = (max: number) => fc.double({ min: max / 100, max, noNaN: true });
    const coefficients = fc.record({
      prefill: fc.tuple(positive(20), positive(0.02), positive(1e-6)),
      decode: fc.tuple(positive(20), positive(0.1), positive(1e-4)),
    });
    fc.assert(
      fc.property(coefficients, (planted) => {
        const truth = fittedTiming(planted);
        const made = [1, 4, 16, 64].flatMap((batch) =>
          [100, 1000, 8000].flatMap((tokens): MeasuredPass[] => [
            { phase: 'prefill', batch, tokens, context: 0, ms: truth.prefillMs(batch, tokens, 0) },
            { phase: 'decode', batch, tokens: 1, context: tokens, ms: truth.decodeMs(batch, 0, tokens, 0) },
          ]),
        );
        const found = fittedTiming(fitTiming(made));
        for (const { phase, batch, tokens, context, ms } of made) {
          const predicted =
            phase === 'prefill' ? found.prefillMs(batch, tokens, 0) : found.decodeMs(batch, 0, context, 0);
          expect(Math.abs(predicted / ms - 1)).toBeLessThan(1e-4);
        }
      }),
    );
  });
});
