/** Text that others wrote, on its way to where not every text can go. Pure. */

/** True for what Postgres can keep: no NUL, and no half of a pair of surrogates. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/**
 * The text as a status and an event can hold it: the API server mends half a pair of surrogates (so that the object would
 * never be as it was written), and a terminal obeys control characters. Tabs and line ends stay.
 */
export const printable = (text: string): string => text.toWellFormed().replace(/[^\P{Cc}\t\n]/gu, ' ');

/** The same on one line. */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ').trim();

/** Where in a document the first text is that cannot be kept (`container.args[1]`); undefined: nowhere. */
export function unstorableAt(value: unknown, path = ''): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : path;
  if (typeof value !== 'object' || value === null) return undefined;
  const isList = Array.isArray(value);
  for (const [key, inner] of Object.entries(value)) {
    // A name that cannot be kept cannot be told either.
    if (!isStorable(key)) return path;
    const found = unstorableAt(inner, isList ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
