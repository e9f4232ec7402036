import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectStorageFromEnv, postgresFromEnv } from './access.ts';
import { runIdFor, runKeyFor } from './run-key.ts';
import { normalizedName } from './signature.ts';

test('a run id is computed from the run key: 32 hex characters, the same for ever', () => {
  const key = runKeyFor('0b0e0a3e-0000-4000-8000-000000000000', { kind: 'spec', generation: 3 });
  assert.equal(key, '0b0e0a3e-0000-4000-8000-000000000000/g3');
  assert.match(runIdFor(key), /^[0-9a-f]{32}$/);
  assert.equal(runIdFor(key), runIdFor(key));
  assert.notEqual(
    runIdFor(key),
    runIdFor(runKeyFor('0b0e0a3e-0000-4000-8000-000000000000', { kind: 'spec', generation: 4 })),
  );
});

test('column names agree when only case, spaces, punctuation and units differ', () => {
  for (const name of ['sepal_length', 'Sepal Length', 'sepal length (cm)', 'SEPAL-LENGTH ']) {
    assert.equal(normalizedName(name), 'sepal_length');
  }
  assert.notEqual(normalizedName('sepal_width'), 'sepal_length');
});

test('a wrong setting is refused by the name of its variable', () => {
  const postgres = { POSTGRES_HOST: 'h', POSTGRES_DATABASE: 'd', POSTGRES_USERNAME: 'u', POSTGRES_PASSWORD: 'p' };
  assert.equal(postgresFromEnv(postgres).port, 5432);
  assert.throws(() => postgresFromEnv({ ...postgres, POSTGRES_PORT: 'abc' }), /POSTGRES_PORT/);
  assert.throws(() => postgresFromEnv({ ...postgres, POSTGRES_PASSWORD: undefined }), /POSTGRES_PASSWORD/);
  assert.throws(() => objectStorageFromEnv({ OBJECT_STORAGE_ENDPOINT: 'minio:9000' }), /OBJECT_STORAGE_ENDPOINT/);
});
