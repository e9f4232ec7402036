/** Names under which measures of single classes are kept, in the characters every tracking server takes. */

const LONGEST_LABEL = 200;
const reserved: ReadonlySet<string> = new Set(['macro']);

/**
 * A part of a metric name for every label, no two alike: what is neither letter, digit, `_`, `-`, `.` nor space becomes `_`, and
 * a name that is taken gets `_2`, `_3`, ….
 */
export function namesForLabels(labels: readonly string[]): string[] {
  const taken = new Set<string>(reserved);
  return labels.map((label) => {
    const plain = label.replace(/[^A-Za-z0-9_\-. ]/g, '_').slice(0, LONGEST_LABEL) || '_';
    let name = plain;
    for (let n = 2; taken.has(name); n++) name = `${plain}_${n}`;
    taken.add(name);
    return name;
  });
}
