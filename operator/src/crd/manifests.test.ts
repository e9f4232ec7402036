import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crdFor, crdManifests, customResourceKinds } from './manifests.ts';
import type { JsonSchema } from './structural-schema.ts';

const root = join(import.meta.dirname, '../../..');

for (const folder of ['crds', 'charts/slipway/files/crds']) {
  test(`regenerating changes nothing in ${folder}: run \`node operator/src/crd/generate.ts\` after a change of an api.ts`, () => {
    const committed = readdirSync(join(root, folder)).filter((file) => file.endsWith('.yaml'));
    assert.deepEqual(
      committed.sort(),
      crdManifests()
        .map(({ file }) => file)
        .sort(),
    );
    for (const { file, yaml } of crdManifests()) {
      assert.equal(readFileSync(join(root, folder, file), 'utf8'), yaml, file);
    }
  });
}

test('a definition is small enough for a client-side kubectl apply', () => {
  for (const { file, yaml } of crdManifests()) assert.ok(yaml.length < 200_000, `${file} has ${yaml.length} bytes`);
});

/** Every field below `schema` with its path. */
function* fields(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  yield [path, schema];
  for (const [name, field] of Object.entries(schema.properties ?? {})) yield* fields(field, `${path}.${name}`);
  if (schema.items) yield* fields(schema.items, `${path}[]`);
  if (typeof schema.additionalProperties === 'object') yield* fields(schema.additionalProperties, `${path}{}`);
}

const everyField = customResourceKinds.flatMap((kind) =>
  crdFor(kind).spec.versions.flatMap(({ schema: { openAPIV3Schema } }) =>
    ['spec', 'status'].flatMap((part) => [
      ...fields(openAPIV3Schema.properties?.[part] as JsonSchema, `${kind.kind}.${part}`),
    ]),
  ),
);
const where = (broken: (path: string, schema: JsonSchema) => boolean) =>
  everyField.filter(([path, schema]) => broken(path, schema)).map(([path]) => path);

test('every field has a description', () => {
  assert.deepEqual(
    where((path, { description }) => !/[\]}]$/.test(path) && !description),
    [],
  );
});

test('every list says how it merges and how long it may be, every string and map how large', () => {
  const bound = { array: 'maxItems', string: 'maxLength' } as Record<string, string>;
  assert.deepEqual(
    where((_, schema) => schema.type === 'array' && !schema['x-kubernetes-list-type']),
    [],
  );
  assert.deepEqual(
    where((_, schema) => {
      const keyword = schema.additionalProperties ? 'maxProperties' : bound[schema.type ?? ''];
      return keyword !== undefined && schema[keyword] === undefined && schema['enum'] === undefined;
    }),
    [],
  );
});

test('no float anywhere: decimals are strings', () => {
  assert.deepEqual(
    where((_, { type }) => type === 'number'),
    [],
  );
});
