import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';

const BROWSERS = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = BROWSERS.find((path) => path !== '' && existsSync(path));
const folder = mkdtempSync(join(tmpdir(), 'dynosim-sweep-page-'));
const STUDY = `
base: {input_tokens: 2000, output_tokens: 100, request_count: 100, request_rate: 6}
search:
  num_workers: {range: {min: 1, max: 4}}
  extra_engine_args.max_num_seqs: {choices: [2, 64]}
goals: {ttft_ms: 900}
target: pareto
`;

interface Ledger {
  ledger: { id: number; status: string; reason: string; metrics: Record<string, number> }[];
  front: number[];
  winner: number;
  answer: string[];
}

describe.skipIf(executablePath === undefined)('the page of a search in a browser', () => {
  let browser: Browser;
  let answer: Ledger;
  const problems: string[] = [];

  beforeAll(async () => {
    writeFileSync(join(folder, 'study.yaml'), STUDY);
    const { exitCode, stderr } = await runCli(['sweep', 'study.yaml', '--output', 'out', '--quiet'], folder);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    answer = JSON.parse(readFileSync(join(folder, 'out/recommendation.json'), 'utf8'));
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  async function open(width: number, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(`network: ${request.url()}`);
    });
    await page.goto(`file://${join(folder, 'out/index.html')}`);
    await page.waitForSelector('body[data-ready]');
    return page;
  }

  it.each([1200, 500])('opens without an error and as wide as the window, at %i pixels', async (width) => {
    const page = await open(width, width === 500 ? 'dark' : 'light');
    expect(problems).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(await page.locator('#answer p').allInnerTexts()).toEqual(answer.answer);
    await page.close();
  });

  it('draws every candidate, and tells of one that is clicked what the ledger says', async () => {
    const page = await open(1200);
    expect(await page.locator('#candidates circle').count()).toBe(answer.ledger.length);
    expect(await page.locator('#candidates circle.front').count()).toBe(answer.front.length);
    const rejected = answer.ledger.find(({ status }) => status !== 'feasible')!;
    await page.locator(`#candidates circle[data-id="${rejected.id}"]`).dispatchEvent('click');
    const panel = page.locator('.candidate');
    expect(await panel.getByRole('status').innerText()).toContain(rejected.reason);
    const chosen = answer.ledger[answer.winner - 1];
    await page.locator(`#ranking tr[data-id="${chosen.id}"]`).click();
    const shown = await panel.locator('tr', { hasText: 'p99_ttft_ms' }).locator('td').innerText();
    expect(Number(shown.replaceAll(',', ''))).toBeCloseTo(chosen.metrics.p99_ttft_ms, 2);
    expect(await panel.locator('pre').innerText()).toMatch(
      /^cat > candidate-\d+\.yaml[\s\S]*dynosim replay --config/,
    );
    for (const place of ['#candidates circle', '#parallel polyline'])
      expect(await page.locator(`${place}.selected`).getAttribute('data-id')).toBe(String(chosen.id));
    await page.close();
  });

  it('lets the reader choose what is across and up', async () => {
    const page = await open(1200);
    const place = () =>
      page.locator(`#candidates circle[data-id="${answer.winner}"]`).first().getAttribute('cx');
    const before = await place();
    await page.getByLabel('Across').selectOption('ttft');
    expect(await place()).not.toBe(before);
    expect(await page.locator('#candidates .plot').innerHTML()).toContain('mean TTFT (ms)');
    await page.close();
  });

  it('shows what the winner hangs on', async () => {
    const page = await open(1200);
    const bars = page.locator('#tornado rect');
    expect(await bars.count()).toBeGreaterThan(1);
    await bars.first().dispatchEvent('mousemove', { clientX: 100, clientY: 100 });
    expect(await page.locator('.tooltip:visible').innerText()).toMatch(/output throughput per GPU/);
    await page.close();
  });
});
