type Child = Node | string | undefined;

/** Makes an element. @param attributes `class` and the like; functions listen to events, as in `onclick` */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | ((event: Event) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'string') made.setAttribute(name, value);
    else made.addEventListener(name.slice(2), value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A section of the page under a heading. */
export function section(id: string, title: string, ...children: Child[]): HTMLElement {
  return element('section', { id }, element('h2', {}, title), ...children);
}

/** A table with a head; cells of the first column are headings of their rows. */
export function table(head: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const cells = (row: readonly Child[]) =>
    row.map((cell, column) => element(column === 0 ? 'th' : 'td', {}, cell));
  return element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...head.map((title) => element('th', {}, title)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...cells(row)))),
  );
}

/** A choice among named values. */
export function choice(
  label: string,
  options: readonly (readonly [value: string, title: string])[],
  onChoice: (value: string) => void,
): HTMLElement {
  const select = element('select', { onchange: () => onChoice(select.value) });
  for (const [value, title] of options) select.append(element('option', { value }, title));
  return element('label', {}, `${label} `, select);
}

/** A box with some lines of text that follows the mouse. */
export class Tooltip {
  private readonly box = element('div', { class: 'tooltip', role: 'status' });

  constructor() {
    document.body.append(this.box);
    this.hide();
  }

  show(event: MouseEvent, lines: readonly string[]): void {
    const { box } = this;
    box.replaceChildren(...lines.map((line) => element('div', {}, line)));
    box.hidden = false;
    const isRight = event.clientX > window.innerWidth * 0.6;
    box.style.left = isRight ? '' : `${event.clientX + 14}px`;
    box.style.right = isRight ? `${window.innerWidth - event.clientX + 14}px` : '';
    box.style.top = `${Math.min(event.clientY + 14, window.innerHeight - box.offsetHeight - 4)}px`;
  }

  hide(): void {
    this.box.hidden = true;
  }
}
