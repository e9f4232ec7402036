import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { filesIn } from './model-folder.ts';

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'slipway-model-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('files are listed by their paths, those of inner folders among them', async (t) => {
  const dir = folder(t);
  mkdirSync(join(dir, 'data', 'more'), { recursive: true });
  for (const path of ['model.onnx', 'data/more/notes.txt']) writeFileSync(join(dir, path), '');
  assert.deepEqual(
    (await filesIn(dir)).map(({ path }) => path),
    ['data/more/notes.txt', 'model.onnx'],
  );
});

test('a link to a folder is refused, not followed', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'model.onnx'), '');
  symlinkSync('/', join(dir, 'outside'));
  await assert.rejects(filesIn(dir), { reason: 'InvalidModel', message: /^outside is no plain file/ });
});

test('of a folder with too many entries no more is read than it takes to say so, folders among them', async (t) => {
  const dir = folder(t);
  for (let i = 0; i < 10_001; i++) mkdirSync(join(dir, String(i)));
  await assert.rejects(filesIn(dir), { reason: 'InvalidModel', message: 'more than 10000 files' });
});
