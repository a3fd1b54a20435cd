const NAMESPACE = 'http://www.w3.org/2000/svg';

type Attributes = Record<string, string | number | ((event: Event) => void)>;

/** Makes an element of a drawing. Functions listen to events, as in `onclick`. */
export function svg(tag: string, attributes: Attributes = {}, ...children: (Node | string)[]): SVGElement {
  const made = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** Round values from min to max, about so many. */
export function ticks(min: number, max: number, about: number): number[] {
  const span = max - min;
  if (!(span > 0)) return [min];
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const values: number[] = [];
  for (let value = Math.ceil(min / step) * step; value <= max + step * 1e-9; value += step)
    values.push(value);
  return values;
}

/** The span of some values; a little around a single one. */
export function extent(values: readonly number[]): [number, number] {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  if (max > min) return [min, max];
  const around = Math.abs(min) * 0.1 || 1;
  return [min - around, max + around];
}
