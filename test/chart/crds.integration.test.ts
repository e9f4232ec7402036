/** The definitions the chart installs are those of the program. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { CHART, type Manifest, render, type Values } from './helm.ts';

const generated = globSync('crds/*.yaml').sort();
const definitions = (values: Values = {}) =>
  render(values).filter(({ kind }) => kind === 'CustomResourceDefinition') as Manifest[];

test('the chart carries the generated definitions, byte for byte', () => {
  const names = (files: readonly string[]) => files.map((file) => basename(file)).sort();
  assert.ok(generated.length >= 3);
  assert.deepEqual(names(globSync(`${CHART}/files/crds/*.yaml`)), names(generated));
  for (const file of generated) {
    assert.equal(readFileSync(`${CHART}/files/crds/${basename(file)}`, 'utf8'), readFileSync(file, 'utf8'), file);
  }
});

test('what helm renders of them differs in labels and annotations only', () => {
  const rendered = new Map(definitions().map((definition) => [definition.metadata.name, definition]));
  assert.equal(rendered.size, generated.length);
  for (const file of generated) {
    const wanted: Manifest = parse(readFileSync(file, 'utf8'));
    assert.deepEqual(rendered.get(wanted.metadata.name)?.spec, wanted.spec, file);
  }
});

test('they stay when the release goes, unless told otherwise, and can be left to somebody else', () => {
  const kept = (values: Values) =>
    definitions(values).filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep').length;
  assert.equal(kept({}), generated.length);
  assert.equal(kept({ crds: { keep: false } }), 0);
  assert.equal(definitions({ crds: { install: false } }).length, 0);
});
