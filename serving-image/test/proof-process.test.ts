/** The process that proves a compiled model, and what is done where it cannot. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspectFile, loadModel } from '../src/model/load.ts';
import type { Tensor } from '../src/model/tensor.ts';
import { openProof, RefusedApartError } from '../src/model/worker/proof-process.ts';
import { filesOf, modelFolder, temporaryFolder } from './folder.ts';
import { iris, manyTypes, type TestModel } from './models.ts';

async function sourceOf(t: TestContext, { onnx }: TestModel) {
  const path = join(await temporaryFolder(t), 'model.onnx');
  await writeFile(path, onnx);
  return { path, threads: 1 };
}

const never = (error: Error): never => assert.fail(error);

test('the runtime answers in its process, and the scorer that was proven there says the same here', async (t) => {
  const session = await openProof(await sourceOf(t, iris));
  t.after(() => session.release());
  const rows: Tensor[] = [{ type: 'float32', dims: [2, 4], data: Float32Array.of(5.1, 3.5, 1.4, 0.2, 6.2, 2.8, 5, 2) }];
  const expected = await session.run(rows);
  const { score, reason } = await session.prove([[]], rows);
  assert.match(reason, /^linear classifier; equal to onnxruntime on \d+ rows$/);
  assert.deepEqual(
    score(rows).map(({ dims }) => dims),
    expected.map(({ dims }) => dims),
  );
  assert.deepEqual(Array.from(score(rows)[0]?.data as BigInt64Array), Array.from(expected[0]?.data as BigInt64Array));
});

test('a model that is not compiled is refused before the runtime is there', async (t) => {
  await assert.rejects(openProof(await sourceOf(t, manyTypes)), RefusedApartError);
});

test('a process that dies is an error, now and for whoever asks later', async (t) => {
  const entry = join(await temporaryFolder(t), 'dying.mjs');
  await writeFile(
    entry,
    `process.on('message', ({ kind }) => {
       if (kind !== 'open') process.exit(1);
       process.send({ kind: 'opened', inputs: [], outputs: [] });
     });`,
  );
  const session = await openProof({ path: 'none', threads: 1 }, pathToFileURL(entry));
  await assert.rejects(async () => session.run([]), /ended by itself/);
  await assert.rejects(async () => session.run([]), /ended by itself/);
  await session.release();
});

test('a process that says nothing is ended, and whoever asked goes on', async (t) => {
  const entry = join(await temporaryFolder(t), 'silent.mjs');
  await writeFile(entry, "process.on('message', () => {});");
  await assert.rejects(openProof({ path: 'none', threads: 1 }, pathToFileURL(entry), 500), /ended by itself/);
});

test('whatever cannot be proven apart is loaded here, and says the same of itself', async (t) => {
  const { dir, files } = await modelFolder(t, filesOf(manyTypes));
  await inspectFile(dir, files);
  const here = await loadModel(dir, files, 1, { engine: 'auto' });
  const apart = await loadModel(dir, files, 1, { engine: 'auto', apart: never });
  t.after(() => Promise.all([here.session.release(), apart.session.release()]));
  assert.equal(apart.engine, 'onnxruntime');
  const why = (reason: string): string | undefined => reason.split('; ')[1];
  assert.equal(why(apart.engineReason), why(here.engineReason));
});
