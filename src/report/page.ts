import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { PAGE_STYLE } from './page-style.js';
import type { PageRun } from './picture-types.js';
import type { SweepPicture } from './sweep-picture.js';

const CHART_LIBRARY = 'uplot';

/**
 * One HTML page of some runs that needs nothing else, neither network nor files: its scripts are modules behind an
 * import map of data URLs, its data is JSON, compressed and in base 64.
 */
export function htmlPage(runs: readonly PageRun[]): string {
  return pageOf('main', plannerLines(runs) + dataScript(runs));
}

/** What people search pages of planners for, in plain text. */
function plannerLines(runs: readonly PageRun[]): string {
  const lines = runs.flatMap(({ report: { planner, gpu_hours, scaling_events } }) =>
    planner === undefined
      ? []
      : `<p class="note">Replica transitions: ${(scaling_events as unknown[]).length} | GPU hours: ${(gpu_hours as number).toFixed(4)}</p>\n`,
  );
  return lines.join('');
}

/** The page of a search over deployments. */
export function sweepPage(picture: SweepPicture): string {
  return pageOf('sweep', dataScript(picture));
}

function dataScript(data: unknown): string {
  const packed = gzipSync(JSON.stringify(data)).toString('base64');
  return `<script type="application/octet-stream" id="data">${packed}</script>`;
}

/** The page of a fleet that serves, which hears what it shows from its server. */
export function livePage(): string {
  return pageOf('live', '');
}

/** @param main the module that draws the page */
function pageOf(main: string, data: string): string {
  const require = createRequire(import.meta.url);
  const libraryStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const imports = { [CHART_LIBRARY]: moduleUrl(chartLibrary(require)), ...pageModules() };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dynosim</title>
<style>${libraryStyle}${PAGE_STYLE}</style>
<script type="importmap">${JSON.stringify({ imports })}</script>
</head>
<body>
<main id="page"></main>
${data}
<script type="module">import '${specifier(main)}';</script>
</body>
</html>
`;
}

function chartLibrary(require: NodeJS.Require): string {
  return readFileSync(require.resolve('uplot/dist/uPlot.esm.js'), 'utf8');
}

const specifier = (name: string) => `dynosim/${name}`;

/** The compiled scripts of the page, by the names under which they import each other. */
function pageModules(): Record<string, string> {
  const folder = new URL('../page/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.js'));
  return Object.fromEntries(
    files.sort().map((file) => {
      const code = readFileSync(new URL(file, folder), 'utf8');
      const linked = code.replaceAll(/from '\.\/([\w-]+)\.js'/g, (_, name) => `from '${specifier(name)}'`);
      return [specifier(file.replace(/\.js$/, '')), moduleUrl(linked)];
    }),
  );
}

function moduleUrl(code: string): string {
  return `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
}
