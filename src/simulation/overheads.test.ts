import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';

const LOAD: ReplayOptions = { inputTokens: 500, outputTokens: 5, requestCount: 1, arrivalIntervalMs: 1000 };

async function one(overheads: object, options: ReplayOptions = LOAD) {
  const { records, report } = await replay({
    ...options,
    records: 'all',
    overheads: JSON.stringify(overheads),
  });
  return { ...records[0], report };
}

describe('time around the GPUs', () => {
  it('delays a request that is alone by what each term says', async () => {
    const plain = await one({});
    const frontend = await one({ frontend_ms: 3, tokenize_ms_per_token: 0.01 });
    expect(frontend.firstAdmitMs).toBe(8);
    expect(frontend.lastTokenMs).toBeCloseTo(plain.lastTokenMs + 8, 9);
    expect(frontend.report.latency_parts_ms).toMatchObject({ frontend: 8 });
    // The prompt's pass emits the first of five tokens, so that five passes are made.
    const step = await one({ step_ms: 2, step_ms_per_sequence: 0.5 });
    expect(step.firstTokenMs).toBeCloseTo(plain.firstTokenMs + 2.5, 9);
    expect(step.lastTokenMs).toBeCloseTo(plain.lastTokenMs + 5 * 2.5, 9);
    const delivery = await one({ first_token_ms: 4 });
    expect(delivery.firstTokenMs).toBe(plain.firstTokenMs + 4);
    expect(delivery.lastTokenMs).toBe(plain.lastTokenMs);
  });

  it('takes the delay of the first token out of the first gap', async () => {
    const plain = await one({});
    const delivery = await one({ first_token_ms: 1 });
    expect(delivery.report.mean_itl_ms).toBeCloseTo((plain.report.mean_itl_ms as number) - 1 / 4, 9);
    expect(delivery.report.min_itl_ms).toBeCloseTo((plain.report.min_ttst_ms as number) - 1, 9);
    const late = await one({ first_token_ms: 1000 });
    expect(late.report.max_itl_ms).toBe(plain.report.max_itl_ms);
    expect(late.report.min_itl_ms).toBe(0);
    expect(late.report.latency_parts_ms).toHaveProperty('delivery');
  });

  it('changes nothing when all terms are zero', async () => {
    const options: ReplayOptions = { ...LOAD, requestCount: 40, arrivalIntervalMs: 3, numWorkers: 2 };
    const { wall_time_ms: _, overheads, ...zero } = (await one({ step_ms: 0 }, options)).report;
    const plain = (await replay({ ...options, records: 'all' })).report;
    expect(overheads).toEqual({});
    for (const [key, value] of Object.entries(zero))
      if (!/^processed_|^scenario$/.test(key)) expect(value).toEqual(plain[key]);
  });

  it('keeps the conservation laws and the order of times in every engine', async () => {
    const fleet = fc.record({
      engine_type: fc.constantFrom('vllm', 'trtllm', 'sglang'),
      num_gpu_blocks: fc.integer({ min: 60, max: 200 }),
      interval: fc.constantFrom(2, 20, 200),
      workers: fc.constantFrom(1, 2),
      step: fc.constantFrom(0, 0.3, 2),
      frontend: fc.constantFrom(0, 1.7),
      delivery: fc.constantFrom(0, 5),
    });
    await fc.assert(
      fc.asyncProperty(fleet, async ({ engine_type, num_gpu_blocks, interval, workers, ...terms }) => {
        const options: ReplayOptions = {
          inputTokens: 300,
          outputTokens: 20,
          requestCount: 30,
          arrivalIntervalMs: interval,
          numWorkers: workers,
          extraEngineArgs: JSON.stringify({ engine_type, num_gpu_blocks, block_size: 16 }),
          overheads: JSON.stringify({
            frontend_ms: terms.frontend,
            step_ms: terms.step,
            step_ms_per_sequence: terms.step / 10,
            first_token_ms: terms.delivery,
          }),
        };
        const planned = await replay({ ...options, records: 'all' });
        const checked = await replay({ ...options, records: 'all', check: true });
        expect(planned.records).toEqual(checked.records);
        for (const record of planned.records) {
          expect(record.firstTokenMs - record.deliveryMs).toBeGreaterThan(record.readyMs);
          expect(record.lastTokenMs).toBeGreaterThanOrEqual(record.firstTokenMs);
        }
      }),
      { numRuns: 60 },
    );
  });
});
