import { describe, expect, it } from 'vitest';
import { loggedCache } from './engine-log.js';

describe('the KV cache in an engine log', () => {
  it.each([
    ['INFO 11-25 10:00:00 [kv_cache_utils.py:1287] GPU KV cache size: 41,408 tokens', 41_408],
    ['INFO executor_base.py:112] # cuda blocks: 2356, # CPU blocks: 4096', 37_696],
    ['INFO gpu_executor.py:122] # GPU blocks: 2356, # CPU blocks: 4096', 37_696],
    ['[2026-01-01 TP0] max_total_num_tokens=403882, chunked_prefill_size=8192', 403_882],
    ['[2026-01-01] KV Cache is allocated. dtype: torch.bfloat16, #tokens: 403882, K size: 24 GB', 403_882],
  ])('is read from %s', (line, tokens) => {
    expect(loggedCache(`first\n${line}\nlast`, 'log', 16)).toEqual({ tokens, line: 2 });
  });

  it('is that of the rank with the least', () => {
    const log = ['GPU KV cache size: 500 tokens', 'GPU KV cache size: 400 tokens'].join('\n');
    expect(loggedCache(log, 'log', 16)).toEqual({ tokens: 400, line: 2 });
  });

  it('is asked for where it is missing', () => {
    expect(() => loggedCache('nothing', 'engine.log', 16)).toThrow(/engine.log: no line .*GPU KV cache size/);
  });
});
