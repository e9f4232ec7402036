import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentDisposition, rangeOf } from './download.ts';
import { mediaType } from './media-type.ts';

for (const [header, size, expected] of [
  [undefined, 10, 'whole'],
  ['bytes=0-3', 10, { range: { start: 0, end: 3 } }],
  ['bytes=4-', 10, { range: { start: 4, end: 9 } }],
  ['bytes=-4', 10, { range: { start: 6, end: 9 } }],
  ['bytes=-40', 10, { range: { start: 0, end: 9 } }],
  ['bytes=8-100', 10, { range: { start: 8, end: 9 } }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=5-4', 10, 'whole'],
  ['bytes=0-1,4-5', 10, 'whole'],
  ['bytes=-', 10, 'whole'],
  ['lines=1-2', 10, 'whole'],
  [`bytes=${'9'.repeat(30)}-`, 10, 'whole'],
] as const) {
  test(`Range ${header} of ${size} bytes`, () => assert.deepEqual(rangeOf(header, size), expected));
}

for (const [name, expected] of [
  ['model.onnx', 'attachment; filename=model.onnx'],
  ['a b.txt', 'attachment; filename="a b.txt"'],
  ['a"b\\.txt', 'attachment; filename="a\\"b\\\\.txt"'],
  ['größe.txt', "attachment; filename=groe.txt; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"],
  ['日本', "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"],
] as const) {
  test(`saved as ${name}`, () => assert.equal(contentDisposition(name), expected));
}

for (const [path, expected] of [
  ['1/r/artifacts/model/MLmodel', 'text/plain'],
  ['a.json', 'text/plain'],
  ['conda.yaml', 'text/plain'],
  ['plot.png', 'image/png'],
  ['PLOT.PNG', 'image/png'],
  ['report.html', 'text/html'],
  ['model.pkl', 'application/octet-stream'],
  ['model.onnx', 'application/octet-stream'],
  ['noextension', 'application/octet-stream'],
  ['png', 'application/octet-stream'],
  ['.png', 'application/octet-stream'],
] as const) {
  test(`${path} is ${expected}`, () => assert.equal(mediaType(path), expected));
}
