/** Texts that come from a request or a model, short enough for a fault: what counts are the bytes they take as JSON. */

/** How many bytes the text takes between the quotes of a JSON string. */
const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/** One UTF-16 unit takes at most so many bytes: a control character is written as an escape. */
const MOST_BYTES_A_UNIT = 6;

/** The text if it takes at most `most` bytes as JSON, else its longest beginning that does with `ending` after it. */
export function cut(text: string, most: number, ending = ''): string {
  if (text.length * MOST_BYTES_A_UNIT <= most || (text.length <= most && jsonBytes(text) <= most)) return text;
  let left = most - jsonBytes(ending);
  let end = 0;
  // By code points: half of a pair of surrogates is no text.
  for (const character of text.slice(0, most)) {
    left -= jsonBytes(character);
    if (left < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + ending;
}

/** What a list of names may take in a fault. */
const MOST_LISTED = 400;

/** A list for people, each name as `quoted` writes it. */
export const listed = (names: readonly string[], quoted: (name: string) => string = JSON.stringify): string =>
  cut(names.map(quoted).join(', '), MOST_LISTED, '...');
