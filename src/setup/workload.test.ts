import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { replay } from '../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-workload-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const chat = (turn: number, timestamp: number, hash_ids: number[]) =>
  JSON.stringify({
    chat_id: turn,
    parent_chat_id: turn - 1 || -1,
    timestamp,
    input_length: 16 * hash_ids.length,
    output_length: 20,
    hash_ids,
  });

describe('a trace of others', () => {
  it('is replayed as it is, its sessions turn by turn', async () => {
    // The second turn is recorded before the first can have ended.
    const path = file('qwen.jsonl', `${chat(1, 5, [1, 2, 3])}\n${chat(2, 5.001, [1, 2, 3, 4])}\n`);
    const { records } = await replay({
      traceFiles: [path],
      traceFormat: 'bailian',
      records: 'ended',
      extraEngineArgs: { block_size: 16 },
    });
    expect(records).toHaveLength(2);
    expect(records[0].arrivalMs).toBe(0);
    expect(records[1].arrivalMs).toBeCloseTo(records[0].lastTokenMs + 1, 9);
    expect(records[1].reusedTokens).toBe(48);
  });

  it('that is a graph keeps its order', async () => {
    const sub = (input_toks: number) => ({ input_toks, output_toks: 4, tool_duration_ns: 5e6 });
    const session = { session_id: 's', arrival_time_ns: 7, sub_requests: [sub(100), sub(200)] };
    const path = file('agents.jsonl', JSON.stringify(session));
    const options = { traceFiles: [path], records: 'ended' as const };
    const { records } = await replay({ ...options, traceFormat: 'llmservingsim-sessions' });
    expect(records[1].arrivalMs).toBeCloseTo(records[0].lastTokenMs + 5, 9);
  });

  it('is recognised where it is taken for rows', async () => {
    const path = file(
      'azure.csv',
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n',
    );
    await expect(replay({ traceFiles: [path] })).rejects.toThrow(/looks like Azure.*--trace-format azure/);
    const { report } = await replay({ traceFiles: [path], traceFormat: 'azure' });
    expect(report.completed_requests).toBe(1);
    const pointer = file('lfs.jsonl', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n');
    await expect(replay({ traceFiles: [pointer] })).rejects.toThrow(/is a pointer of Git LFS/);
  });

  it('whose hash ids do not fit its lengths is warned of, with the size that would', async () => {
    const rows = [100, 90, 128].map((input_length, index) => {
      const hash_ids = Array.from(
        { length: Math.ceil(input_length / 16) },
        (_, block) => 100 * index + block,
      );
      return JSON.stringify({ timestamp: index, input_length, output_length: 2, hash_ids });
    });
    const path = file('small.jsonl', rows.join('\n'));
    const { report } = await replay({ traceFiles: [path] });
    expect(report.warnings).toContainEqual(
      '3 of 3 prompts have another number of hash_ids than their length needs at 512 tokens each; they fit blocks of 16 (--trace-block-size 16)',
    );
    expect((await replay({ traceFiles: [path], traceBlockSize: 16 })).report.warnings ?? []).toEqual([]);
  });

  it('without times says how to give it some', async () => {
    const path = file('lengths.csv', 'input_length,output_length\n100,5\n');
    await expect(replay({ traceFiles: [path], traceFormat: 'lengths' })).rejects.toThrow(
      /has no times; trace convert --rate/,
    );
  });
});
