import { expect, it } from 'vitest';
import { BlockHashes } from './block-hashes.js';

it('names blocks as Dynamo does', async () => {
  const hashes = await BlockHashes.create(true);
  hashes.named(5, 0, Uint32Array.of(1, 2, 3, 4));
  hashes.named(2000, 5, Uint32Array.of(5, 6, 7, 8));
  expect(hashes.blockHash(5)).toBe(14643705804678351452n);
  expect(hashes.tokensHash(5)).toBe(14643705804678351452n);
  expect(hashes.parentHash(5)).toBeUndefined();
  expect(hashes.tokensHash(2000)).toBe(16777012769546811212n);
  expect(hashes.blockHash(2000)).toBe(4945711292740353085n);
  expect(hashes.parentHash(2000)).toBe(14643705804678351452n);
  expect([...hashes.tokensOf(2000)]).toEqual([5, 6, 7, 8]);
  expect(hashes.ofPrompt(Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 4)).toEqual([
    14643705804678351452n,
    4945711292740353085n,
  ]);
});
