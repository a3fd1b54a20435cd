interface Entry<T> {
  age: number;
  item: T;
}

/** Items by age, smallest first: a binary heap. Ages are distinct, so no order among equals is promised. */
export class AgeHeap<T> {
  private readonly entries: Entry<T>[] = [];

  /** The entry of the smallest age; undefined when there is none. */
  get first(): Entry<T> | undefined {
    return this.entries[0];
  }

  push(age: number, item: T): void {
    const { entries } = this;
    const entry = { age, item };
    let hole = entries.length;
    entries.push(entry);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (entries[parent].age <= age) break;
      entries[hole] = entries[parent];
      hole = parent;
    }
    entries[hole] = entry;
  }

  /** Takes out the entry of the smallest age; undefined when there is none. */
  pop(): Entry<T> | undefined {
    const { entries } = this;
    const top = entries[0];
    const last = entries.pop();
    if (!last || entries.length === 0) return top;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1].age < entries[child].age) child++;
      if (last.age <= entries[child].age) break;
      entries[hole] = entries[child];
      hole = child;
    }
    entries[hole] = last;
    return top;
  }
}
