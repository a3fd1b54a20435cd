import { describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';

const LOAD: ReplayOptions = { inputTokens: 500, outputTokens: 5, requestCount: 30, arrivalIntervalMs: 2 };

describe('times to first tokens', () => {
  it('are told between the boundaries that people measure at', async () => {
    const { report } = await replay({ ...LOAD, overheads: '{"first_token_ms":4,"client_ms":1.5}' });
    const parts = report.ttft_parts_ms as Record<string, number>;
    expect(parts).toMatchObject({ client_to_server: 0, client: 1.5 });
    expect(parts.response).toBeCloseTo(4, 9);
    expect(parts.queue).toBeGreaterThan(0);
    const sum = Object.values(parts).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(report.mean_ttft_ms as number, 6);
  });
});
