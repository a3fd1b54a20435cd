const LIGHT = `
  color-scheme: light;
  --back: #ffffff; --front: #1c1e21; --faint: #5c6470; --grid: #e4e7eb; --panel: #f6f7f9;
  --good: #17803d; --bad: #c62828; --heat: #1f5fbf;
  --series-0: #1f5fbf; --series-1: #d9730d; --series-2: #17803d; --series-3: #8e44ad;
  --series-4: #00838f; --series-5: #6d4c41; --series-6: #c62828; --series-7: #607d8b;`;

const DARK = `
  color-scheme: dark;
  --back: #14171c; --front: #e6e9ee; --faint: #9aa4b2; --grid: #2a303a; --panel: #1c2129;
  --good: #58c27d; --bad: #ff7b72; --heat: #6cabff;
  --series-0: #6cabff; --series-1: #ffa94d; --series-2: #58c27d; --series-3: #c792ea;
  --series-4: #4dd0e1; --series-5: #bc9a8a; --series-6: #ff7b72; --series-7: #a0b4bf;`;

/** Colours of the parts of a latency, in the order in which they come. */
const PARTS = {
  frontend: '#bdb76b',
  router_queue: '#9e9e9e',
  worker_queue: '#e0a030',
  prefill: '#3f7fd0',
  chunk_wait: '#9fc0ea',
  decode_room: '#b08060',
  transfer: '#9b59b6',
  decode_queue: '#d98a5b',
  preemption: '#d64545',
  decode: '#3a9d5d',
  delivery: '#7f8c8d',
};

const parts = Object.entries(PARTS)
  .map(([name, color]) => `.part.${name} { background: ${color}; }`)
  .join('\n');

/** The style sheet of the page. */
export const PAGE_STYLE = `
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) { :root:not([data-theme]) {${DARK}
} }
:root[data-theme='dark'] {${DARK}
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1400px; padding: 0 20px 60px; background: var(--back); color: var(--front);
  font: 14px/1.5 system-ui, sans-serif; }
header { display: flex; gap: 16px; align-items: baseline; padding: 12px 0; }
header p { flex: 1; color: var(--faint); margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 20px; margin: 0; }
h2 { font-size: 16px; border-bottom: 1px solid var(--grid); padding-bottom: 4px; margin: 32px 0 12px; }
h3 { font-size: 14px; margin: 16px 0 6px; }
button, select, input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--grid);
  border-radius: 4px; padding: 2px 8px; }
input { width: 90px; }
button { cursor: pointer; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 8px; }
.card { background: var(--panel); border-radius: 6px; padding: 8px 12px; }
.card b { display: block; font-size: 18px; }
.card span, .note, small, .legend { color: var(--faint); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 8px; }
.chart { min-width: 0; }
.controls { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin: 8px 0; }
.heatmap { width: 100%; display: block; margin-top: 8px; cursor: crosshair; }
.tooltip { position: fixed; z-index: 10; pointer-events: none; background: var(--panel); color: var(--front);
  border: 1px solid var(--grid); border-radius: 4px; padding: 6px 10px; font-size: 12px; }
.tooltip div:first-child { font-weight: 600; }
table { border-collapse: collapse; }
th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid var(--grid); font-weight: normal; }
th:first-child { text-align: left; white-space: nowrap; }
td { overflow-wrap: anywhere; }
thead th { color: var(--faint); }
.wide { overflow-x: auto; }
.stories table { width: 100%; }
.stories td:last-child { width: 45%; }
.bar { display: flex; height: 14px; }
.part { display: inline-block; height: 14px; }
.legend .part { width: 12px; height: 12px; margin-left: 10px; vertical-align: -1px; }
.verdict b { text-transform: uppercase; }
.verdict.stable b, .good { color: var(--good); }
.verdict.backlogged b { color: var(--series-1); }
.verdict.overloaded b, .bad { color: var(--bad); }
.plot { width: 100%; height: auto; display: block; font-size: 11px; }
.plot.narrow { max-width: 760px; }
.plot.broad { min-width: 900px; }
.ranking td { white-space: nowrap; }
.plot text { fill: var(--faint); }
.plot .axis { stroke: var(--grid); }
.plot circle, .plot .line { cursor: pointer; }
.plot circle { fill: var(--series-7); fill-opacity: 0.45; }
.plot circle.feasible { fill: var(--heat); fill-opacity: 0.8; }
.plot circle.front { fill: var(--good); fill-opacity: 1; }
.plot circle.selected { stroke: var(--front); stroke-width: 2.5; }
.plot .front-line { fill: none; stroke: var(--good); stroke-width: 1.5; }
.plot .line { fill: none; stroke: var(--series-7); stroke-opacity: 0.25; stroke-width: 1.5; }
.plot .line.feasible { stroke: var(--heat); stroke-opacity: 0.5; }
.plot .line.front { stroke: var(--good); stroke-opacity: 0.9; }
.plot .line.selected { stroke: var(--front); stroke-opacity: 1; stroke-width: 3; }
.plot .better { fill: var(--good); }
.plot .worse { fill: var(--bad); }
.split { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 24px; align-items: start; }
.split > * { min-width: 0; }
.answer p { font-size: 16px; margin: 4px 0; }
.candidate pre { background: var(--panel); border-radius: 6px; padding: 8px 12px; overflow-x: auto; font-size: 12px;
  max-height: 340px; margin: 6px 0; }
.candidate h3 { margin-top: 0; overflow-wrap: anywhere; }
tr.selected { background: var(--panel); }
tr[data-id] { cursor: pointer; }
@media (max-width: 800px) { .split { grid-template-columns: minmax(0, 1fr); } }
.u-legend { font-size: 12px; }
.u-title { font-size: 13px; font-weight: 600; }
${parts}
`;
