/** Values of one statement: each is added once and named by its place. */

export interface Parameters {
  readonly values: readonly unknown[];
  /** The placeholder of a value, such as `$3`. */
  add(value: unknown): string;
}

export function parameters(...first: readonly unknown[]): Parameters {
  const values = [...first];
  return {
    values,
    add(value) {
      values.push(value);
      return `$${values.length}`;
    },
  };
}
