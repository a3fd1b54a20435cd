import { describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../../config/scenario/options.js';
import { startTestServer } from '../../testing/live-server.js';
import { replayOnline } from './online.js';

const FAST = '{"speedup_ratio": 50}';
const LOADS: Record<string, ReplayOptions> = {
  'open loop': { inputTokens: 300, outputTokens: 20, requestCount: 40, requestRate: 400 },
  'closed loop': { inputTokens: 300, outputTokens: 20, requestCount: 40, replayConcurrency: 6 },
  sessions: {
    inputTokens: 300,
    outputTokens: 20,
    requestCount: 10,
    turnsPerSession: 4,
    interTurnDelayMs: 5,
    replayConcurrency: 5,
  },
};

describe.each(Object.entries(LOADS))('load in real time, %s', (_, load) => {
  it('gets every token of every request from a fleet in the process', async () => {
    const options: ReplayOptions = {
      ...load,
      replayMode: 'online',
      extraEngineArgs: FAST,
      numWorkers: 2,
      records: 'all',
    };
    const { report, records } = await replayOnline(options);
    expect(report).toMatchObject({ num_requests: 40, completed_requests: 40, total_output_tokens: 800 });
    for (const { firstTokenMs, arrivalMs, lastTokenMs, firstAdmitMs } of records) {
      expect(firstTokenMs).toBeGreaterThan(arrivalMs);
      expect(lastTokenMs).toBeGreaterThanOrEqual(firstTokenMs);
      expect(firstAdmitMs).toBeLessThan(firstTokenMs);
    }
  });

  it('measures an endpoint', async () => {
    const server = await startTestServer({ fleet: { extraEngineArgs: FAST, numWorkers: 2 } });
    const endpoint = { url: server.url, model: 'mock', apiKey: undefined, idleMs: 10_000 };
    const { report, records } = await replayOnline({ ...load, records: 'all' }, {}, endpoint);
    expect(report).toMatchObject({ num_requests: 40, completed_requests: 40, total_output_tokens: 800 });
    expect(report.measured).toHaveProperty('sent_to_headers_ms');
    for (const { inputTokens } of records) expect(inputTokens).toBeGreaterThanOrEqual(300);
    await server.close();
  });
});

describe('load on an endpoint', () => {
  const endpoint = (url: string) => ({ url, model: 'mock', apiKey: undefined, idleMs: 300 });

  it('finds prefixes again that the workload shares', async () => {
    const server = await startTestServer({ fleet: { extraEngineArgs: FAST } });
    const load = {
      inputTokens: 640,
      outputTokens: 2,
      requestCount: 8,
      replayConcurrency: 1,
      sharedPrefixRatio: 0.5,
    };
    const { report } = await replayOnline({ ...load, numPrefixGroups: 1 }, {}, endpoint(`${server.url}/v1`));
    expect(report.prefix_cache_reused_ratio).toBeGreaterThan(0.3);
    await server.close();
  });

  it('counts what is refused, and what fails', async () => {
    const load = { inputTokens: 10, outputTokens: 30, requestCount: 4, replayConcurrency: 2 };
    const limited = await startTestServer({
      faults: [{ kind: 'rate-limit', rate: 1, after: 0, ms: 0, status: 429 }],
    });
    expect((await replayOnline(load, {}, endpoint(limited.url))).report).toMatchObject({
      rejected_requests: 4,
    });
    await limited.close();
    const broken = await startTestServer({
      faults: [{ kind: 'cut', rate: 1, after: 5, ms: 0, status: 500 }],
    });
    expect((await replayOnline(load, {}, endpoint(broken.url))).report).toMatchObject({ failed_requests: 4 });
    await broken.close();
    expect((await replayOnline(load, {}, endpoint('http://127.0.0.1:9'))).report).toMatchObject({
      failed_requests: 4,
    });
  });

  it.each(['nowhere', 'ftp://host'])('%s is no endpoint', async (url) => {
    const load = { inputTokens: 10, outputTokens: 3, requestCount: 4, replayConcurrency: 2 };
    await expect(replayOnline(load, {}, endpoint(url))).rejects.toThrow(/^--target: /);
  });
});
