import type { SweepAxis, SweepCandidate, SweepPicture } from '../report/sweep-picture.js';
import { choice, element, type Tooltip } from './dom.js';
import { short } from './format.js';
import type { Selection } from './selection.js';
import { extent, svg, ticks } from './svg.js';

const SIZE = { width: 760, height: 420, left: 66, right: 16, top: 14, bottom: 42 };

/** Candidates as points in the plane of two numbers that the reader may choose; those that cannot be bettered are joined. */
export class ParetoPlot {
  readonly node: HTMLElement;
  private readonly place = element('div');
  private x: SweepAxis;
  private y: SweepAxis;

  constructor(
    private readonly picture: SweepPicture,
    private readonly selection: Selection,
    private readonly tooltip: Tooltip,
  ) {
    const { axes } = picture;
    const axis = (key: string) => axes.find((one) => one.key === key)!;
    const targets = axes.filter(({ isTarget }) => isTarget);
    this.x = targets.length > 1 ? targets[1] : axis('throughput_per_user');
    this.y = targets.length > 1 ? targets[0] : axis('throughput_per_gpu');
    const chooser = (label: string, own: SweepAxis, take: (axis: SweepAxis) => void) =>
      choice(
        label,
        [own, ...axes.filter((one) => one !== own)].map((one) => [one.key, titleOf(one)]),
        (key) => {
          take(axis(key));
          this.draw();
        },
      );
    const controls = element(
      'div',
      { class: 'controls' },
      chooser('Up', this.y, (one) => {
        this.y = one;
      }),
      chooser('Across', this.x, (one) => {
        this.x = one;
      }),
    );
    this.node = element('div', {}, controls, this.place);
    this.draw();
  }

  private draw(): void {
    const { x, y, picture } = this;
    const drawn = picture.candidates.filter(({ values }) => values[x.key] != null && values[y.key] != null);
    if (drawn.length === 0) {
      this.place.replaceChildren(element('p', { class: 'note' }, 'No candidate has both numbers.'));
      return;
    }
    const [minX, maxX] = extent(drawn.map(({ values }) => values[x.key]!));
    const [minY, maxY] = extent(drawn.map(({ values }) => values[y.key]!));
    const { width, height, left, right, top, bottom } = SIZE;
    const across = (value: number) => left + ((value - minX) / (maxX - minX)) * (width - left - right);
    const up = (value: number) =>
      height - bottom - ((value - minY) / (maxY - minY)) * (height - top - bottom);
    const at = ({ values }: SweepCandidate) => [across(values[x.key]!), up(values[y.key]!)] as const;
    const lines = [
      ...ticks(minX, maxX, 7).flatMap((value) => [
        svg('line', { class: 'axis', x1: across(value), x2: across(value), y1: top, y2: height - bottom }),
        svg('text', { x: across(value), y: height - bottom + 15, 'text-anchor': 'middle' }, short(value)),
      ]),
      ...ticks(minY, maxY, 6).flatMap((value) => [
        svg('line', { class: 'axis', x1: left, x2: width - right, y1: up(value), y2: up(value) }),
        svg('text', { x: left - 6, y: up(value) + 4, 'text-anchor': 'end' }, short(value)),
      ]),
      svg('text', { x: (left + width) / 2, y: height - 6, 'text-anchor': 'middle' }, titleOf(x)),
      svg(
        'text',
        { transform: `translate(13 ${(height - bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle' },
        titleOf(y),
      ),
    ];
    const front = drawn.filter(({ id }) => picture.front.includes(id));
    if (front.length > 1)
      lines.push(
        svg('polyline', {
          class: 'front-line',
          points: front
            .map(at)
            .sort((a, b) => a[0] - b[0])
            .map((point) => point.join(','))
            .join(' '),
        }),
      );
    // What is best lies on top.
    const order = [...drawn].sort((a, b) => this.rank(a) - this.rank(b));
    const points = order.map((candidate) => this.point(candidate, at(candidate)));
    this.place.replaceChildren(
      svg('svg', { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img' }, ...lines, ...points),
    );
  }

  private rank({ id, status }: SweepCandidate): number {
    return this.picture.front.includes(id) ? 2 : status === 'feasible' ? 1 : 0;
  }

  private point(candidate: SweepCandidate, [cx, cy]: readonly [number, number]): SVGElement {
    const { x, y, picture, selection, tooltip } = this;
    const { id, name, status, reason, values } = candidate;
    const isFront = picture.front.includes(id);
    const point = svg('circle', {
      ...{ cx, cy, r: isFront ? 6 : 4.5 },
      class: isFront ? 'front' : status,
      'data-id': id,
      onclick: () => selection.select(id),
      onmousemove: (event) =>
        tooltip.show(event as MouseEvent, [
          `${id}: ${name}`,
          `${titleOf(y)}: ${short(values[y.key]!)}`,
          `${titleOf(x)}: ${short(values[x.key]!)}`,
          ...(reason === '' ? [] : [reason]),
        ]),
      onmouseleave: () => tooltip.hide(),
    });
    selection.mark(id, point);
    return point;
  }
}

/** The title of a number with its unit. */
export function titleOf({ title, unit }: SweepAxis): string {
  return unit === '' ? title : `${title} (${unit})`;
}
