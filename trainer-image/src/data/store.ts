/** A list of numbers that grows without being copied each time, and ends as one typed array. */

type Values = Float32Array | Float64Array | Int32Array | Int16Array;

const FIRST_CHUNK = 1024;
const LARGEST_CHUNK = 65_536;

/** Keeps values in chunks; `taken` joins them, giving each chunk back as it goes, so that nothing is held twice. */
export class Store<T extends Values> {
  private readonly chunks: T[] = [];
  private readonly make: (length: number) => T;
  private current: T;
  private at = 0;
  private before = 0;

  constructor(make: (length: number) => T) {
    this.make = make;
    this.current = make(FIRST_CHUNK);
  }

  get length(): number {
    return this.before + this.at;
  }

  push(value: number): void {
    if (this.at === this.current.length) this.grow();
    this.current[this.at++] = value;
  }

  private grow(): void {
    this.chunks.push(this.current);
    this.before += this.current.length;
    this.current = this.make(Math.min(this.current.length * 2, LARGEST_CHUNK));
    this.at = 0;
  }

  /** Everything that was pushed. The store is empty afterwards. */
  taken(): T {
    const all = this.make(this.length);
    let at = 0;
    for (let chunk = this.chunks.shift(); chunk; chunk = this.chunks.shift()) {
      all.set(chunk, at);
      at += chunk.length;
    }
    all.set(this.current.subarray(0, this.at), at);
    this.current = this.make(0);
    this.at = 0;
    this.before = 0;
    return all;
  }
}
