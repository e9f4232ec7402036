/** What the process leaves and holds beside answering. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from './folder.ts';
import { iris } from './models.ts';
import { serve } from './program.ts';

test('the runtime tells nobody that it is used: it keeps no database of that in the home folder', async (t) => {
  const home = await temporaryFolder(t);
  await serve(t, iris, { HOME: home, SERVE_SETTINGS: JSON.stringify({ engine: 'onnxruntime' }) });
  assert.deepEqual(await readdir(home), []);
});
