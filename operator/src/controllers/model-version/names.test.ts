import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelLabel, modelVersionName } from './names.ts';

test('a model that is a Kubernetes name keeps it', () => {
  assert.equal(modelVersionName('iris', 3), 'iris-v3');
});

test('models that would be mangled to the same name are told apart', () => {
  const names = ['Iris_Large', 'iris_large', 'iris.large', 'iris-large'].map((model) => modelVersionName(model, 1));
  assert.equal(new Set(names).size, 4);
});

test('whatever the model is called, the names are valid and short enough', () => {
  for (const model of ['A', '9', 'Ä', '___', 'a'.repeat(128), 'a.'.repeat(60), `${'x'.repeat(39)}-y`]) {
    const name = modelVersionName(model, 2_147_483_647);
    assert.ok(name.length <= 52, name);
    assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    assert.match(modelLabel(model), /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
  }
});
