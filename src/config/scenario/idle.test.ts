import { describe, expect, it } from 'vitest';
import { scenarioOf } from '../../setup/scenario.js';
import type { ReplayOptions } from './options.js';

const LOAD: ReplayOptions = { inputTokens: 10, outputTokens: 2, requestCount: 3, requestRate: 1 };
const idleOf = (options: ReplayOptions) => scenarioOf({ ...LOAD, ...options }).warnings;

describe('settings that change nothing', () => {
  it('are none where all that is given matters', () => {
    expect(idleOf({})).toEqual([]);
    expect(
      idleOf({
        numWorkers: 2,
        routerMode: 'kv_router',
        routerSeed: 3n,
        arrivalSeed: 4n,
        sharedPrefixRatio: 0.5,
        numPrefixGroups: 2,
      }),
    ).toEqual([]);
    const stage = (worker_type: string) => JSON.stringify({ worker_type, kv_transfer_bandwidth: 8 });
    expect(
      idleOf({
        prefillEngineArgs: stage('prefill'),
        decodeEngineArgs: stage('decode'),
        singleTokenPrefill: true,
      }),
    ).toEqual([]);
  });

  it.each<[string, ReplayOptions]>([
    ['routerSeed', { routerSeed: 3n }],
    ['routerConfig', { routerConfig: '{"router_temperature":1}' }],
    ['numPrefixGroups', { numPrefixGroups: 2 }],
    ['interTurnDelayMs', { interTurnDelayMs: 5 }],
    ['arrivalSpeedupRatio', { arrivalSpeedupRatio: 2 }],
    ['traceBlockSize', { traceBlockSize: 16 }],
    ['singleTokenPrefill', { singleTokenPrefill: true }],
    ['aicSystems', { aicSystems: 'somewhere' }],
    ['sglang', { extraEngineArgs: '{"sglang":{"page_size":4}}' }],
    ['kv_transfer_bandwidth', { extraEngineArgs: '{"kv_transfer_bandwidth":4}' }],
    ['bandwidth_g1_to_g2_gbps', { extraEngineArgs: '{"bandwidth_g1_to_g2_gbps":4}' }],
    ['gpu_memory_utilization', { extraEngineArgs: '{"gpu_memory_utilization":0.9}' }],
    ['preemption_mode', { extraEngineArgs: '{"engine_type":"trtllm","preemption_mode":"fifo"}' }],
  ])('name %s', (name, options) => {
    const idle = idleOf(options);
    expect(idle).toHaveLength(1);
    expect(idle[0]).toMatch(new RegExp(`^${name} (of an engine )?has no effect: `));
  });
});
