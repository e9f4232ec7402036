/** A list of numbers that grows, in one typed array. */

type Values = Float32Array | Float64Array | Int32Array | Int16Array;

/**
 * Room for the expected number of values is taken at once, so that nothing is copied when the expectation holds; what is
 * never written to takes no memory, for the system gives pages when they are touched.
 */
export class Store<T extends Values> {
  private readonly make: (length: number) => T;
  private values: T;
  private length = 0;

  /** `expected`: about how many values will come. */
  constructor(make: (length: number) => T, expected: number) {
    this.make = make;
    this.values = make(Math.max(16, expected));
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = this.make(Math.ceil(this.length * 1.5));
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  /** Everything that was pushed. */
  taken = (): T => this.values.subarray(0, this.length) as T;
}
