import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barPlot, decades } from './svg.ts';

test('the axis has whole powers of ten around the values, one decade at least', () => {
  assert.deepEqual(decades([335, 40_684]), { from: 2, to: 5 });
  assert.deepEqual(decades([100, 100]), { from: 2, to: 3 });
});

const bar = { label: 'A & <B>', value: 1000, low: 900, high: 1100, text: '1,000', tone: 'ours' as const };

test('a bar ten times as long in value is one decade longer, and says its figure', () => {
  const svg = barPlot({ title: 'T', unit: 'requests', bars: [bar, { ...bar, value: 100, low: 100, high: 100 }] });
  const widths = [...svg.matchAll(/<rect class="ours" x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, w]) => Number(w));
  // From 100 to 10,000: the first ends in the middle, the second at the very left.
  assert.equal(widths[0], 215);
  assert.equal(widths[1], 1);
  assert.match(svg, />1,000</);
});

test('a label is text and nothing else', () => {
  const svg = barPlot({ title: 'a "b"', unit: 'x', bars: [bar] });
  assert.match(svg, />A &amp; &lt;B></);
  assert.match(svg, /aria-label="a &quot;b&quot;"/);
});

test('the plot has colours for light and for dark pages and needs nothing from elsewhere', () => {
  const svg = barPlot({ title: 'T', unit: 'x', bars: [bar] });
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.doesNotMatch(svg.replace('http://www.w3.org/2000/svg', ''), /https?:|href|url\(/);
});
