type NumberArray = Float64Array | Int32Array | Uint32Array;

/** A typed array that grows by doubling: one column of a table whose length is not known ahead. */
export class Column<T extends NumberArray> {
  length = 0;

  constructor(
    public data: T,
    private readonly create: (length: number) => T,
  ) {}

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(this.length + 1);
    this.data[this.length++] = value;
  }

  reserve(length: number): void {
    if (length <= this.data.length) return;
    const grown = this.create(Math.max(length, this.data.length + (this.data.length >> 1), 1024));
    grown.set(this.data);
    this.data = grown;
  }
}

export function floatColumn(): Column<Float64Array> {
  return new Column(new Float64Array(0), (length) => new Float64Array(length));
}

export function intColumn(): Column<Int32Array> {
  return new Column(new Int32Array(0), (length) => new Int32Array(length));
}

export function wordColumn(): Column<Uint32Array> {
  return new Column(new Uint32Array(0), (length) => new Uint32Array(length));
}
