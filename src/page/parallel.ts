import type { SweepCandidate, SweepPicture } from '../report/sweep-picture.js';
import type { Tooltip } from './dom.js';
import { short } from './format.js';
import type { Selection } from './selection.js';
import { extent, svg } from './svg.js';

const SIZE = { width: 1200, height: 340, side: 70, top: 34, bottom: 16 };
/** Options of a parameter that are all named; of more only the ends are. */
const MOST_NAMED = 10;
const MOST_LETTERS = 22;

interface Coordinate {
  title: string;
  /** From 0 at the bottom to 1 at the top; undefined where nothing is known. */
  at(candidate: SweepCandidate): number | undefined;
  marks: { at: number; text: string }[];
}

/** Every candidate as a line through its settings and its numbers. */
export function parallelCoordinates(
  picture: SweepPicture,
  selection: Selection,
  tooltip: Tooltip,
): SVGElement {
  const { width, height, side, top, bottom } = SIZE;
  const coordinates = [...parameterCoordinates(picture), ...numberCoordinates(picture)];
  const gap = (width - 2 * side) / Math.max(1, coordinates.length - 1);
  const across = (index: number) => side + index * gap;
  const up = (part: number) => height - bottom - part * (height - top - bottom);
  const axes = coordinates.flatMap(({ title, marks }, index) => [
    svg('line', { class: 'axis', x1: across(index), x2: across(index), y1: up(0), y2: up(1) }),
    svg('text', { x: across(index), y: index % 2 === 0 ? 11 : 24, 'text-anchor': 'middle' }, title),
    ...marks.map((mark) => svg('text', { x: across(index) + 4, y: up(mark.at) + 3 }, clipped(mark.text))),
  ]);
  const rank = ({ id, status }: SweepCandidate) =>
    picture.front.includes(id) ? 2 : status === 'feasible' ? 1 : 0;
  const lines = [...picture.candidates]
    .sort((a, b) => rank(a) - rank(b))
    .flatMap((candidate) => {
      const points = coordinates.flatMap((coordinate, index) => {
        const part = coordinate.at(candidate);
        return part === undefined ? [] : [`${across(index)},${up(part)}`];
      });
      if (points.length < 2) return [];
      const { id, name, status } = candidate;
      const line = svg('polyline', {
        class: `line ${rank(candidate) === 2 ? 'front' : status}`,
        points: points.join(' '),
        'data-id': id,
        onclick: () => selection.select(id),
        onmousemove: (event) => tooltip.show(event as MouseEvent, [`${id}: ${name}`]),
        onmouseleave: () => tooltip.hide(),
      });
      selection.mark(id, line);
      return [line];
    });
  return svg(
    'svg',
    { class: 'plot broad', viewBox: `0 0 ${width} ${height}`, role: 'img' },
    ...lines,
    ...axes,
  );
}

function clipped(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
}

function parameterCoordinates({ parameters, candidates }: SweepPicture): Coordinate[] {
  return parameters.map(({ name, options }, axis) => {
    // Options that no candidate has would push the others together.
    const used = [...new Set(candidates.map(({ point }) => point[axis]))].sort((a, b) => a - b);
    const place = new Map(
      used.map((option, index) => [option, used.length > 1 ? index / (used.length - 1) : 0.5]),
    );
    const named = used.length > MOST_NAMED ? [used[0], used[used.length - 1]] : used;
    return {
      title: clipped(name.split('.').pop()!),
      at: ({ point }) => place.get(point[axis]),
      marks: named.map((option) => ({ at: place.get(option)!, text: options[option] })),
    };
  });
}

function numberCoordinates({ axes, candidates }: SweepPicture): Coordinate[] {
  return axes.flatMap(({ key, title }) => {
    const known = candidates.flatMap(({ values }) => (values[key] == null ? [] : [values[key]]));
    if (known.length === 0) return [];
    const [min, max] = extent(known);
    return [
      {
        title: clipped(title),
        at: ({ values }: SweepCandidate) =>
          values[key] == null ? undefined : (values[key] - min) / (max - min),
        marks: [
          { at: 0, text: short(min) },
          { at: 1, text: short(max) },
        ],
      },
    ];
  });
}
