type NumberArray = Float64Array | Int32Array | Uint32Array | Uint8Array;

/** A longer copy of a typed array; what is new is 0. */
export function grown<T extends NumberArray>(old: T, length: number): T {
  const longer = new (old.constructor as new (length: number) => T)(length);
  longer.set(old);
  return longer;
}

/** Makes all typed arrays among an object's own properties longer: columns of one table. */
export function growColumns(table: object, length: number): void {
  for (const [name, column] of Object.entries(table))
    if (ArrayBuffer.isView(column)) Object.assign(table, { [name]: grown(column as NumberArray, length) });
}

/** A typed array that grows as numbers come: one column of a table whose length is not known ahead. */
export class Column<T extends NumberArray> {
  length = 0;

  constructor(public data: T) {}

  push(value: number): void {
    if (this.length === this.data.length) this.growTo(this.length + 1);
    this.data[this.length++] = value;
  }

  growTo(length: number): void {
    if (length <= this.data.length) return;
    this.data = grown(this.data, Math.max(length, this.data.length + (this.data.length >> 1), 1024));
  }
}

export function floatColumn(): Column<Float64Array> {
  return new Column(new Float64Array(0));
}

export function intColumn(): Column<Int32Array> {
  return new Column(new Int32Array(0));
}

export function wordColumn(): Column<Uint32Array> {
  return new Column(new Uint32Array(0));
}
