import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { generatedMigrations } from '../generate.ts';

test('the bundled migrations are those of sql/ (node database/generate.ts writes them)', () => {
  const committed = readFileSync(new URL('./migrations.generated.ts', import.meta.url), 'utf8');
  assert.equal(committed, generatedMigrations());
});
