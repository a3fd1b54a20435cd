const MOST = 2;

/**
 * How many leading hash ids of each row another prompt may have too: those before the first id that occurs once. What
 * lies behind that one is behind content that nobody else has. Occurrences are counted by a hash of the id, so that
 * two ids may count as one; a row is then thought to share more than it does, which costs time and changes nothing.
 * @param starts where the ids of each row begin
 * @param ids how many there are in all
 */
export function sharedHashes(
  starts: Float64Array,
  rows: number,
  low: Uint32Array,
  high: Uint32Array,
  ids: number,
): Int32Array {
  const cells = new Uint8Array(2 ** Math.ceil(Math.log2(2 * ids + 1)));
  const mask = cells.length - 1;
  for (let i = 0; i < ids; i++) {
    const cell = cellOf(low[i], high[i]) & mask;
    if (cells[cell] < MOST) cells[cell]++;
  }
  const shared = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = starts[row];
    const end = row + 1 < rows ? starts[row + 1] : ids;
    let at = start;
    while (at < end && cells[cellOf(low[at], high[at]) & mask] === MOST) at++;
    shared[row] = at - start;
  }
  return shared;
}

/** Ids that count up fall into neighbouring cells, which are near in memory. */
function cellOf(low: number, high: number): number {
  return low + Math.imul(high, 0x9e3779b1);
}
