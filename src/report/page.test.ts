import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';
import type { Pictures } from './picture-types.js';

const BROWSERS = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = BROWSERS.find((path) => path !== '' && existsSync(path));
const folder = mkdtempSync(join(tmpdir(), 'dynosim-page-'));
const inFolder = (name: string) => join(folder, name);
const EXAMPLE = fileURLToPath(new URL('../../examples/chat.jsonl', import.meta.url));
const FLEET = [EXAMPLE, '--num-workers', '3', '--sla-ttft-ms', '60', '--sla-itl-ms', '30'];

async function run(...args: string[]): Promise<void> {
  const { exitCode, stderr } = await runCli(args, folder);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
}

let report: { pictures: Pictures; mean_ttft_ms: number };

beforeAll(async () => {
  const replay = [...FLEET, '--pictures', '--report-json', inFolder('a.json'), '--html', inFolder('a.html')];
  await run('replay', ...replay);
  const kv = ['--router-mode', 'kv_router', '--pictures', '--report-json', inFolder('b.json')];
  await run('replay', ...FLEET, ...kv);
  report = JSON.parse(readFileSync(inFolder('a.json'), 'utf8'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('pictures', () => {
  it('tell each request once, and its latency without remainder', () => {
    const { requests } = report.pictures;
    expect(new Set(requests.row).size).toBe(3000);
    requests.e2e_ms.forEach((e2e, at) => {
      const sum = Object.values(requests.parts_ms).reduce((total, values) => total + values[at], 0);
      expect(Math.abs(sum - e2e!)).toBeLessThan(0.01);
    });
  });

  it('spread over time what the totals of the workers say', () => {
    const [{ workers, bin_ms }] = report.pictures.pools;
    const sections = (report as unknown as { workers: Record<string, number>[] }).workers;
    workers.forEach((worker, index) => {
      const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
      const { busy_ms, requests, input_tokens, reused_tokens, output_tokens, kv_evicted_blocks } =
        sections[index];
      const near = (value: number, other: number) => expect(Math.abs(value / other - 1)).toBeLessThan(1e-3);
      near(sum(worker.busy) * bin_ms, busy_ms);
      near(sum(worker.prefill_tokens), input_tokens - reused_tokens);
      near(sum(worker.decode_steps), output_tokens);
      near(sum(worker.evicted_blocks), kv_evicted_blocks);
      expect(sum(worker.placed_requests)).toBe(requests);
      expect(Math.max(...worker.busy)).toBeLessThanOrEqual(1);
    });
  });
});

describe.skipIf(executablePath === undefined)('the page in a browser', () => {
  let browser: Browser;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  });
  afterAll(() => browser?.close());

  async function open(file: string, colorScheme: 'light' | 'dark'): Promise<Page> {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(`network: ${request.url()}`);
    });
    await page.goto(`file://${inFolder(file)}`);
    await page.waitForSelector('body[data-ready]');
    return page;
  }

  const tooltip = (page: Page) => page.locator('.tooltip:visible').innerText();

  it.each(['light', 'dark'] as const)('opens without an error, %s', async (scheme) => {
    const page = await open('a.html', scheme);
    expect(problems).toEqual([]);
    const card = page.locator('[data-key=mean_ttft_ms]');
    expect(Number(await card.getAttribute('title'))).toBeCloseTo(report.mean_ttft_ms, 3);
    const back = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const before = await back();
    await page.getByText('Light / dark').click();
    expect(await back()).not.toBe(before);
    await page.close();
  });

  it('zooms the timeline, and tells in a tooltip what the report says', async () => {
    const page = await open('a.html', 'light');
    const map = page.locator('canvas.heatmap');
    await map.scrollIntoViewIfNeeded();
    const box = (await map.boundingBox())!;
    const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    await page.mouse.move(at.x, at.y);
    const wide = await tooltip(page);
    expect(wide).toMatch(/means of \d+ bins/);
    await page.mouse.down();
    await page.mouse.move(at.x + 40, at.y);
    await page.mouse.up();
    await page.mouse.move(at.x, at.y + 1);
    const [head, ...lines] = (await tooltip(page)).split('\n');
    const [, worker, from, to] = /worker (\d+), ([\d.,]+) to ([\d.,]+) ms$/.exec(head)!;
    const number = (text: string) => Number(text.replaceAll(',', ''));
    const [{ workers, bin_ms }] = report.pictures.pools;
    expect(number(to) - number(from)).toBeCloseTo(bin_ms, 6);
    const bin = Math.round(number(from) / bin_ms);
    const shown = (title: string) => number(lines.find((line) => line.startsWith(title))!.split(': ')[1]);
    const drawn = workers[Number(worker)];
    expect(shown('running sequences')).toBe(drawn.running[bin]);
    expect(shown('KV blocks in use')).toBe(drawn.kv_blocks[bin]);
    expect(shown('prompt tokens computed')).toBe(drawn.prefill_tokens[bin]);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('counts goodput under bounds that the reader changes', async () => {
    const page = await open('a.html', 'light');
    const good = (report as unknown as { goodput_completed_requests: number }).goodput_completed_requests;
    const text = () => page.locator('.goodput').innerText();
    expect(Number.parseFloat(await text())).toBeCloseTo((100 * good) / 3000, 1);
    await page.getByLabel('bound on Time to first token').fill('1');
    expect(await text()).toMatch(/^0 %/);
    await page.close();
  });

  it('shows runs side by side', async () => {
    await run('report', inFolder('a.json'), inFolder('b.json'), '--html', inFolder('ab.html'));
    const page = await open('ab.html', 'light');
    const row = page.locator('#summary tr', { hasText: 'Input found in the cache' });
    expect(await row.locator('td').nth(1).innerText()).toMatch(/ % \+[\d.]+ %$/);
    await page.locator('#summary tr', { hasText: 'router-mode' }).waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it('is small and quick for 100,000 requests', async () => {
    const load = ['--input-tokens', '300', '--output-tokens', '20', '--request-count', '100000'];
    const rate = ['--request-rate', '200', '--num-workers', '16', '--report-json', inFolder('c.json')];
    await run('replay', ...load, ...rate, '--html', inFolder('c.html'));
    expect(statSync(inFolder('c.html')).size).toBeLessThan(15e6);
    const page = await open('c.html', 'dark');
    expect(await page.locator('#slowest tbody tr').count()).toBe(25);
    expect(problems).toEqual([]);
    await page.close();
  });
});

describe.skipIf(executablePath === undefined)('the page of a planner in a browser', () => {
  let browser: Browser;
  const PLANNED = [
    ...['--input-tokens', '1024', '--output-tokens', '64', '--request-count', '200', '--request-rate', '12'],
    ...['--extra-engine-args', '{"num_gpu_blocks":256,"block_size":16}', '--sla-ttft-ms', '4000'],
    ...['--planner-config', '{"mode":"agg"}', '--gpu-hour-price', '2'],
  ];

  beforeAll(async () => {
    await run('replay', ...PLANNED, '--html', inFolder('p.html'), '--report-json', inFolder('p.json'));
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(() => browser?.close());

  it.each([1200, 480])('shows what it saw and decided, %i pixels wide', async (width) => {
    const problems: string[] = [];
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`file://${inFolder('p.html')}`);
    await page.waitForSelector('body[data-ready]');
    expect(problems).toEqual([]);
    const { scaling_events, gpu_hours, gpu_cost } = JSON.parse(readFileSync(inFolder('p.json'), 'utf8'));
    expect(gpu_cost).toBeCloseTo(2 * gpu_hours, 12);
    const section = page.locator('#planner');
    expect(await section.innerText()).toContain(`GPU hours: ${gpu_hours.toFixed(4)}`);
    await section.locator('summary').click();
    expect(await section.locator('.decisions tbody tr').count()).toBe(scaling_events.length);
    const charts = await section
      .locator('.chart')
      .evaluateAll((nodes) => nodes.map((node) => node.dataset.chart));
    expect(charts).toEqual(expect.arrayContaining(['Workers', 'Requests/s', 'KV tokens by engine']));
    const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    await page.close();
  });

  it('has the line that people search for', () => {
    expect(readFileSync(inFolder('p.html'), 'utf8')).toMatch(/GPU hours: \d+\.\d+/);
  });
});
