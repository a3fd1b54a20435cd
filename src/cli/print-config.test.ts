import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Scenario } from '../config/scenario/scenario.js';
import { replay } from '../replay.js';
import { reportJson } from '../report/json.js';
import { readScenario } from '../setup/scenario.js';
import { configText, configuredSettings } from './config-file.js';
import { replayCommand } from './replay.js';
import { flagSettings } from './replay-flags.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-print-'));
afterAll(() => rmSync(folder, { recursive: true }));

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const decimal = (min: number, max: number) => fc.double({ min, max, noNaN: true }).map(String);
const engine = fc
  .record(
    {
      engine_type: fc.constantFrom('"vllm"', '"sglang"', '"trtllm"'),
      block_size: fc.constantFrom('16', '64'),
      aic_mtp_seed: u64,
      aic_nextn: fc.constantFrom('1', '3'),
      // More digits than a double has.
      speedup_ratio: fc
        .tuple(fc.integer({ min: 1, max: 9 }), u64)
        .map(([whole, digits]) => `${whole}.${digits}`),
      max_num_seqs: fc.constantFrom('null', '3'),
    },
    { requiredKeys: [] },
  )
  .map((fields) => `{${Object.entries(fields).map(([key, text]) => `"${key}": ${text}`)}}`);

const flags = fc.record(
  {
    'input-tokens': fc.constantFrom('200', '3_00'),
    'output-tokens': fc.constant('20'),
    'request-count': fc.constantFrom('30', '50'),
    'request-rate': decimal(1, 500),
    'arrival-seed': u64,
    'turns-per-session': fc.constantFrom('1', '2'),
    'shared-prefix-ratio': decimal(0, 1),
    'num-workers': fc.constantFrom('2', '3'),
    'router-mode': fc.constantFrom('round_robin', 'kv_router'),
    'router-seed': u64,
    'router-config': decimal(0, 2).map((credit) => `{"overlap_score_credit":${credit}}`),
    'extra-engine-args': engine,
    overheads: decimal(0, 5).map((ms) => `{"step_ms":${ms}}`),
    'sla-ttft-ms': decimal(0, 1e6),
  },
  { requiredKeys: ['input-tokens', 'output-tokens', 'request-count', 'request-rate', 'num-workers'] },
);

function readBack(text: string): Scenario {
  const path = join(folder, 'printed.yaml');
  writeFileSync(path, text);
  const { json, names } = configuredSettings(replayCommand(), [], path, []);
  return readScenario(json, names);
}

async function bytes(scenario: Scenario): Promise<string> {
  const { report } = await replay(scenario);
  for (const key of Object.keys(report)) if (/wall_time|^processed_/.test(key)) delete report[key];
  return reportJson(report);
}

describe('a printed configuration', () => {
  it('says what the command line said, to the byte of the report', async () => {
    await fc.assert(
      fc.asyncProperty(flags, async (given) => {
        const command = replayCommand();
        command.parseOptions(Object.entries(given).flatMap(([flag, value]) => [`--${flag}`, value]));
        const { json, names } = flagSettings(command, []);
        const scenario = readScenario(json, names);
        const again = readBack(configText(command, scenario));
        expect([...again.given]).toEqual(expect.arrayContaining([...scenario.given]));
        expect(await bytes(again)).toBe(await bytes(scenario));
      }),
      { numRuns: 60 },
    );
  });
});
