/** Writing CSV (RFC 4180). */

const cell = (value: number | string | undefined): string => {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** One row; undefined becomes an empty cell. */
export const csvRow = (values: readonly (number | string | undefined)[]): string => `${values.map(cell).join(',')}\r\n`;
