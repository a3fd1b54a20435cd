import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replay } from '../replay.js';

const SYSTEMS = fileURLToPath(new URL('../../../shared/aic-systems', import.meta.url));

describe('gaps of tables that are filled', () => {
  it.skipIf(!existsSync(SYSTEMS))(
    'leave no model out that is known by name, its KV cache included',
    async () => {
      const engine = {
        aic_backend: 'vllm',
        aic_backend_version: '0.19.0',
        aic_system: 'h200_sxm',
        aic_model_path: 'MiniMaxAI/MiniMax-M2.5',
        aic_tp_size: 4,
        aic_moe_tp_size: 4,
      };
      const run = {
        ...{ inputTokens: 100, outputTokens: 3, requestCount: 2, replayConcurrency: 2 },
        ...{ extraEngineArgs: engine, aicSystems: SYSTEMS },
      };
      await expect(replay(run)).rejects.toThrow(/aic_model_path: MiniMaxAI/);
      const { report } = await replay({ ...run, beyondReference: true });
      expect(report.completed_requests).toBe(2);
    },
  );
});
