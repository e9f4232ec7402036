/**
 * Numbers of a float32 tensor as JSON: the shortest text that is the same float32 when it is read again. JSON.stringify
 * would write the digits of the double in between, twice as many and slowly.
 *
 *   singlesText(data)                     0.1,0.97,3e-9
 *   rowsText(data, 2)                     [0.1,0.9],[0.4,0.6]
 */

/** The double whose shortest text is also the shortest for this float32: `String(shortSingle(x))` is what belongs into JSON. */
export function shortSingle(value: number): number {
  return Number(value.toPrecision(9));
}

/** `data[from..until]`, separated by commas, without brackets. All must be finite. */
export function singlesText(data: Float32Array, from = 0, until = data.length): string {
  return Array.from(data.subarray(from, until), shortSingle).join(',');
}

/** The rows of `width` values each as lists, separated by commas. */
export function rowsText(data: Float32Array, width: number): string {
  const rows: string[] = [];
  for (let at = 0; at < data.length; at += width) rows.push(`[${singlesText(data, at, at + width)}]`);
  return rows.join(',');
}
