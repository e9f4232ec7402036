/** docs/models.md speaks of the models that the script trains, all of them and no others. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { converter, script } from './environment.ts';

test('the page has a row for each model of the list, under its section', { timeout: 600_000 }, async (t) => {
  const found = await converter();
  if (typeof found === 'string') return t.skip(found);
  const listed = JSON.parse(await script(found, 'zoo.py', 'list')) as { section: string; name: string }[];
  const page = readFileSync(join(import.meta.dirname, '../../docs/models.md'), 'utf8');
  let section = '';
  const written = page.split('\n').flatMap((line) => {
    section = /^## (.*)$/.exec(line)?.[1] ?? section;
    const name = /^\| ([^|]+) \|/.exec(line)?.[1];
    return name === undefined || name === 'model' ? [] : [{ section, name }];
  });
  assert.deepEqual(written, listed);
});
