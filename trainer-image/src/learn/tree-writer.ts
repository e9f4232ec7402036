/** A tree that grows node by node, in arrays that grow with it. */
import type { Tree } from '../model.ts';

const grown = <T extends Int32Array | Float32Array | Uint8Array>(array: T, length: number): T => {
  const out = new (array.constructor as new (length: number) => T)(length);
  out.set(array);
  return out;
};

export class TreeWriter {
  readonly #width: number;
  readonly #output: number;
  #nodes = 0;
  #capacity = 64;
  #feature = new Int32Array(64).fill(-1);
  #threshold = new Float32Array(64);
  #left = new Int32Array(64);
  #right = new Int32Array(64);
  #missingLeft = new Uint8Array(64);
  #gain = new Float32Array(64);
  #values: Float32Array;

  constructor(width: number, output: number) {
    this.#width = width;
    this.#output = output;
    this.#values = new Float32Array(64 * width);
  }

  /** A new leaf. */
  add(): number {
    if (this.#nodes === this.#capacity) this.#grow();
    this.#feature[this.#nodes] = -1;
    return this.#nodes++;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#feature = grown(this.#feature, this.#capacity);
    this.#threshold = grown(this.#threshold, this.#capacity);
    this.#left = grown(this.#left, this.#capacity);
    this.#right = grown(this.#right, this.#capacity);
    this.#missingLeft = grown(this.#missingLeft, this.#capacity);
    this.#gain = grown(this.#gain, this.#capacity);
    this.#values = grown(this.#values, this.#capacity * this.#width);
  }

  /** Makes the leaf ask, and gives it two leaves: `left` is returned, the right one comes after it. */
  split(node: number, feature: number, threshold: number, missingLeft: boolean, gain: number): number {
    const left = this.add();
    const right = this.add();
    this.#feature[node] = feature;
    this.#threshold[node] = threshold;
    this.#missingLeft[node] = missingLeft ? 1 : 0;
    this.#gain[node] = gain;
    this.#left[node] = left;
    this.#right[node] = right;
    return left;
  }

  setValue(node: number, k: number, value: number): void {
    this.#values[node * this.#width + k] = value;
  }

  finish(): Tree {
    const n = this.#nodes;
    return {
      feature: this.#feature.slice(0, n),
      threshold: this.#threshold.slice(0, n),
      left: this.#left.slice(0, n),
      right: this.#right.slice(0, n),
      missingLeft: this.#missingLeft.slice(0, n),
      values: this.#values.slice(0, n * this.#width),
      width: this.#width,
      output: this.#output,
      gain: this.#gain.slice(0, n),
    };
  }
}
