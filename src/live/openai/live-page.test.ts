import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer } from '../../testing/live-server.js';
import type { LiveServer } from './server.js';

const BROWSERS = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = BROWSERS.find((path) => path !== '' && existsSync(path));

const PROGRAM = fileURLToPath(new URL('../../../bin/dynosim.js', import.meta.url));

let server: LiveServer;
beforeAll(async () => {
  server = await startTestServer({ fleet: { numWorkers: 2, extraEngineArgs: '{"speedup_ratio":1}' } });
});
afterAll(() => server.close());

const complete = (tokens: number, url = server.url) =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'mock', prompt: 'hello', max_tokens: tokens }),
  });

/** The first samples that a page hears. */
async function heard(count: number): Promise<{ stages: { workers: unknown[] }[] }[]> {
  const stop = new AbortController();
  const { body } = await fetch(`${server.url}/control/events`, { signal: stop.signal });
  let text = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split('\n\n').length > count) break;
  }
  stop.abort();
  const frames = text.split('\n\n').slice(0, count);
  return frames.map((frame) => JSON.parse(frame.replace('data: ', '')));
}

describe('the feed of a server', () => {
  it('tells what the fleet does', async () => {
    const answer = complete(150);
    const samples = await heard(3);
    expect(samples.at(-1)).toMatchObject({ stages: [{ stage: 'aggregated', active: 2 }] });
    expect(samples.some((sample) => JSON.stringify(sample).includes('"running":1'))).toBe(true);
    await answer;
  });

  it('is for so many pages, and takes others when they have gone', async () => {
    const stops = Array.from({ length: 32 }, () => new AbortController());
    const open = (signal: AbortSignal) => fetch(`${server.url}/control/events`, { signal });
    await Promise.all(stops.map(({ signal }) => open(signal)));
    expect((await fetch(`${server.url}/control/events`)).status).toBe(503);
    for (const stop of stops) stop.abort();
    await vi.waitFor(async () => expect(await heard(1)).toHaveLength(1), 5000);
  });
});

describe.skipIf(executablePath === undefined)('the page of a server in a browser', () => {
  let browser: Browser;
  let program: ChildProcess;
  let url: string;
  // The scripts of the page are those that were built.
  beforeAll(async () => {
    program = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--num-workers', '2']);
    const [line] = await once(program.stdout!, 'data');
    url = /http:\S+/.exec(String(line))![0];
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    program.kill();
  });

  it.each(['light', 'dark'] as const)(
    'shows requests as they run, %s',
    async (colorScheme) => {
      const problems: string[] = [];
      const page = await browser.newPage({ colorScheme });
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
          problems.push(request.url());
      });
      await page.goto(url);
      await page.waitForSelector('body[data-ready]');
      const answer = complete(400, url);
      await page.locator('[data-key=running] b', { hasText: '1' }).waitFor();
      await answer;
      await page.locator('[data-key=running] b', { hasText: '0' }).waitFor();
      const rows = page.locator('#workers tbody tr');
      expect(await rows.count()).toBe(2);
      const served = await rows.locator('td:nth-child(6)').allInnerTexts();
      expect(served.map(Number).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(1);
      expect(await page.locator('.chart canvas').count()).toBe(5);
      expect(problems).toEqual([]);
      await page.close();
    },
    60_000,
  );
});
