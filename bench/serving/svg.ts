/** Plots without a library: bars on a logarithmic scale, readable on light and dark pages. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** What is written at its end. */
  readonly text: string;
  /** Ours stand out; what is made of our parts is paler. */
  readonly tone: 'ours' | 'variant' | 'peer';
}

export interface Plot {
  readonly title: string;
  /** Of the axis. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LABELS = 220;
const RIGHT = 110;
const ROW = 26;
const TOP = 44;
const BOTTOM = 40;
const SPAN = WIDTH - LABELS - RIGHT;

/** Colours that keep their contrast on both pages; what is written follows the reader's choice. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .axis { font-size: 11px; fill: #59636e }
  .grid { stroke: #8c959f; stroke-opacity: .35 }
  .span { stroke: #1f2328; stroke-width: 1.5 }
  .ours { fill: #1a7f37 } .variant { fill: #6cab7d } .peer { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .axis { fill: #9198a1 } .span { stroke: #e6edf3 }
    .ours { fill: #3fb950 } .variant { fill: #2a6b39 } .peer { fill: #6e7681 }
  }`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Powers of ten that hold all values, at least one decade. Values must be above zero. */
export function decades(values: readonly number[]): { readonly from: number; readonly to: number } {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.ceil(Math.log10(Math.max(...values)));
  return { from, to: Math.max(to, from + 1) };
}

const tick = (power: number): string => (power >= 0 ? (10 ** power).toLocaleString('en-US') : String(10 ** power));

/** One bar for each value, from the left edge, with a line from its lowest to its highest round. */
export function barPlot({ title, unit, bars }: Plot): string {
  const { from, to } = decades(bars.flatMap(({ low, high, value }) => [low, high, value]));
  const x = (value: number): number => LABELS + ((Math.log10(value) - from) / (to - from)) * SPAN;
  const bottom = TOP + bars.length * ROW;
  const height = bottom + BOTTOM;
  const lines = Array.from({ length: to - from + 1 }, (_, i) => {
    const at = x(10 ** (from + i)).toFixed(1);
    return (
      `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}"/>` +
      `<text class="axis" x="${at}" y="${bottom + 15}" text-anchor="middle">${tick(from + i)}</text>`
    );
  });
  const rows = bars.map(({ label, value, low, high, text, tone }, i) => {
    const y = TOP + i * ROW;
    const middle = y + ROW / 2 - 2;
    const end = Math.max(x(value), LABELS + 1);
    return (
      `<text x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>` +
      `<rect class="${tone}" x="${LABELS}" y="${y + 2}" width="${(end - LABELS).toFixed(1)}" height="${ROW - 8}" rx="2"/>` +
      `<line class="span" x1="${x(low).toFixed(1)}" x2="${x(high).toFixed(1)}" y1="${middle}" y2="${middle}"/>` +
      `<text x="${(Math.max(end, x(high)) + 6).toFixed(1)}" y="${middle + 4}">${escaped(text)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="8" y="22">${escaped(title)}</text>`,
    ...lines,
    ...rows,
    `<text class="axis" x="${LABELS + SPAN / 2}" y="${bottom + 32}" text-anchor="middle">${escaped(unit)}, logarithmic</text>`,
    '</svg>\n',
  ].join('\n');
}
