import type { SweepAxis, SweepPicture } from '../report/sweep-picture.js';
import { element, type Tooltip } from './dom.js';
import { short } from './format.js';
import type { Selection } from './selection.js';
import { extent, svg } from './svg.js';

const SIZE = { width: 760, left: 190, right: 70, row: 30, top: 8, bottom: 26 };

/** How far the first target moves when one parameter of the winner is another, the most telling parameter on top. */
export function tornado(picture: SweepPicture, selection: Selection, tooltip: Tooltip): Element {
  const [axis] = picture.axes;
  const own = picture.candidates.find(({ id }) => id === picture.winner)?.values[axis.key];
  const rows = picture.sensitivity
    .map(({ parameter, options }) => ({ parameter, ends: endsOf(picture, axis, options) }))
    .filter(({ ends }) => ends.length > 0)
    .sort((a, b) => spanOf(b.ends, own) - spanOf(a.ends, own));
  if (own == null || rows.length === 0)
    return element('p', { class: 'note' }, 'There is no other option beside those of the winner.');
  const { width, left, right, row, top, bottom } = SIZE;
  const height = top + rows.length * row + bottom;
  const [min, max] = extent([own, ...rows.flatMap(({ ends }) => ends.map(({ value }) => value))]);
  const across = (value: number) => left + ((value - min) / (max - min)) * (width - left - right);
  const bars = rows.flatMap(({ parameter, ends }, index) => {
    const y = top + index * row;
    return [
      svg('text', { x: left - 8, y: y + row / 2 + 3, 'text-anchor': 'end' }, shown(parameter)),
      ...ends.map(({ id, label, value }) =>
        svg('rect', {
          class: (value - own) * axis.direction > 0 ? 'better' : 'worse',
          'data-id': id,
          x: Math.min(across(value), across(own)),
          width: Math.max(1, Math.abs(across(value) - across(own))),
          y: y + 5,
          height: row - 10,
          'fill-opacity': 0.7,
          onclick: () => selection.select(id),
          onmousemove: (event) =>
            tooltip.show(event as MouseEvent, [
              `${parameter}: ${label}`,
              `${axis.title}: ${short(value)} ${axis.unit}`,
            ]),
          onmouseleave: () => tooltip.hide(),
        }),
      ),
    ];
  });
  const line = svg('line', {
    ...{ x1: across(own), x2: across(own), y1: 0, y2: height - bottom },
    stroke: 'currentColor',
  });
  const label = svg(
    'text',
    { x: across(own), y: height - 8, 'text-anchor': 'middle' },
    `the winner: ${short(own)} ${axis.unit}`,
  );
  return svg(
    'svg',
    { class: 'plot narrow', viewBox: `0 0 ${width} ${height}`, role: 'img' },
    ...bars,
    line,
    label,
  );
}

function shown(parameter: string): string {
  return parameter.length > 28 ? `…${parameter.slice(-27)}` : parameter;
}

interface End {
  id: number;
  label: string;
  value: number;
}

/** The options with which the target is least and most. */
function endsOf(
  { candidates, winner }: SweepPicture,
  { key }: SweepAxis,
  options: SweepPicture['sensitivity'][number]['options'],
): End[] {
  const ends = options.flatMap(({ label, id }): End[] => {
    const value = candidates.find((candidate) => candidate.id === id)?.values[key];
    return id === winner || value == null ? [] : [{ id, label, value }];
  });
  ends.sort((a, b) => a.value - b.value);
  return ends.length > 2 ? [ends[0], ends[ends.length - 1]] : ends;
}

function spanOf(ends: readonly End[], own: number | null | undefined): number {
  return Math.max(...ends.map(({ value }) => Math.abs(value - (own ?? 0))));
}
