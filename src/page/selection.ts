/** The candidate that the reader looks at: all that is drawn of it is marked. */
export class Selection {
  id: number | null = null;
  private readonly marked = new Map<number, Set<Element>>();
  private readonly listeners: ((id: number) => void)[] = [];

  /** Something that is drawn of a candidate. */
  mark(id: number, drawn: Element): void {
    const all = this.marked.get(id) ?? new Set();
    this.marked.set(id, all.add(drawn));
    drawn.classList.toggle('selected', id === this.id);
  }

  onSelect(listener: (id: number) => void): void {
    this.listeners.push(listener);
  }

  select(id: number): void {
    const toggle = (of: number | null, isOn: boolean) => {
      for (const drawn of (of === null ? undefined : this.marked.get(of)) ?? [])
        drawn.classList.toggle('selected', isOn);
    };
    toggle(this.id, false);
    this.id = id;
    toggle(id, true);
    for (const listener of this.listeners) listener(id);
  }
}
