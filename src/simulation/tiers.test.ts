import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { replay } from '../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-tiers-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface TierSection {
  onboarded_blocks: { g2: number; g3: number; g4: number };
  offloaded_blocks: number;
  links: Record<string, { bytes: number; busy_ms: number }>;
}

/** Sessions whose turns repeat all that came before them, one after the other. */
function writeSessions(sessions: number, turns: number): string {
  const rows: string[] = [];
  for (let turn = 0; turn < turns; turn++)
    for (let s = 0; s < sessions; s++) {
      const hash_ids = Array.from({ length: (turn + 1) * 32 }, (_, i) => s * 1000 + i);
      const row = { hash_ids, input_length: hash_ids.length * 64, output_length: 20, session_id: `s${s}` };
      rows.push(JSON.stringify(turn === 0 ? { ...row, timestamp: s } : { ...row, delay: 10 }));
    }
  const path = join(folder, `sessions-${sessions}-${turns}.jsonl`);
  writeFileSync(path, rows.join('\n'));
  return path;
}

const ENGINE = { block_size: 64, num_gpu_blocks: 400, kv_bytes_per_token: 1000, max_num_seqs: 2 };

function run(engine: object, rest: object = {}) {
  return replay({
    traceFiles: [writeSessions(12, 5)],
    traceBlockSize: 64,
    replayConcurrency: 12,
    extraEngineArgs: JSON.stringify({ ...ENGINE, ...engine }),
    records: 'ended',
    check: true,
    ...rest,
  });
}

describe('a fleet with cache tiers', () => {
  it('finds again what its GPUs have no room for, and answers sooner', async () => {
    const small = await run({ g1_backend: 'kvbm' });
    const tiered = await run({ num_g2_blocks: 2000 }, { kvOffload: true });
    const use = tiered.report.kv_tiers as unknown as TierSection;
    expect(tiered.report.prefix_cache_reused_ratio).toBeGreaterThan(
      2 * (small.report.prefix_cache_reused_ratio as number),
    );
    expect(tiered.report.mean_ttft_ms).toBeLessThan(small.report.mean_ttft_ms as number);
    expect(use.onboarded_blocks.g2).toBeGreaterThan(0);
    expect(use.links.g2_to_g1.bytes).toBe(use.onboarded_blocks.g2 * 64_000);
    expect(use.links.g1_to_g2.bytes).toBe(use.offloaded_blocks * 64_000);
  });

  it('gets slower as its links do', async () => {
    const ttft: number[] = [];
    for (const gbps of [0, 1, 0.02]) {
      const bandwidths = { bandwidth_g1_to_g2_gbps: gbps, bandwidth_g2_to_g1_gbps: gbps };
      const { report } = await run({ num_g2_blocks: 2000, ...bandwidths }, { kvOffload: true });
      ttft.push(report.mean_ttft_ms as number);
    }
    expect(ttft[0]).toBeLessThan(ttft[1]);
    expect(ttft[1]).toBeLessThan(ttft[2]);
  });

  it('falls back on shared tiers when host memory is small', async () => {
    const shared = { num_g2_blocks: 200, num_g3_blocks: 2000, enable_g4_storage: true };
    const { report } = await run(shared, { kvOffload: true, numWorkers: 2 });
    const { onboarded_blocks } = report.kv_tiers as unknown as TierSection;
    expect(onboarded_blocks.g3 + onboarded_blocks.g4).toBeGreaterThan(0);
  });

  it('serves every request, whatever the sizes and speeds', async () => {
    const fleet = fc.record({
      engine: fc.record({
        engine_type: fc.constantFrom('vllm', 'trtllm'),
        num_gpu_blocks: fc.integer({ min: 170, max: 500 }),
        num_g2_blocks: fc.integer({ min: 1, max: 1500 }),
        num_g3_blocks: fc.constantFrom(0, 0, 20, 500),
        enable_g4_storage: fc.boolean(),
        offload_batch_size: fc.constantFrom(1, 4, 32),
        bandwidth_g1_to_g2_gbps: fc.constantFrom(0, 0.02, 14),
        bandwidth_g2_to_g1_gbps: fc.constantFrom(0, 0.02, 14),
        max_num_seqs: fc.integer({ min: 1, max: 8 }),
        max_num_batched_tokens: fc.constantFrom(128, 512, 8192),
      }),
      numWorkers: fc.constantFrom(1, 2, 3),
      routerMode: fc.constantFrom('round_robin' as const, 'kv_router' as const),
    });
    await fc.assert(
      fc.asyncProperty(fleet, async ({ engine, numWorkers, routerMode }) => {
        const mode = numWorkers > 1 ? routerMode : ('round_robin' as const);
        const { report } = await run(engine, { kvOffload: true, numWorkers, routerMode: mode });
        expect(report.completed_requests).toBe(60);
      }),
      { numRuns: 60 },
    );
  });
});

describe('cache tiers that cannot be simulated', () => {
  it.each([
    [{ num_g2_blocks: 10, kv_bytes_per_token: null }, {}, /needs kv_bytes_per_token/],
    [{}, {}, /needs num_g2_blocks/],
    [{ engine_type: 'sglang', num_g2_blocks: 10 }, {}, /does not support engine_type=sglang/],
    [{ num_g2_blocks: 10, enable_prefix_caching: false }, {}, /needs enable_prefix_caching=true/],
  ])('are refused: %o', async (engine, rest, says) => {
    await expect(run(engine, { kvOffload: true, ...rest })).rejects.toThrow(says);
  });

  it('change nothing but the pool without the flag, and say so', async () => {
    const { report } = await run({ num_g2_blocks: 2000 });
    expect(report.kv_tiers).toBeUndefined();
    expect(report.warnings).toEqual([expect.stringMatching(/--kv-offload simulates the tiers/)]);
  });
});
