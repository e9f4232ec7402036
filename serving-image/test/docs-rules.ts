/** The rules of OpenAPI 3.1 and of its JSON Schema that a tool stumbles over, as assertions. */
import assert from 'node:assert/strict';

export type Json = Record<string, unknown>;

export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operation: Json;
}

/** Every operation of the document. */
export const operationsOf = (document: Json): Operation[] =>
  Object.entries(document['paths'] as Json).flatMap(([path, item]) =>
    Object.entries(item as Json).map(([method, operation]) => ({ path, method, operation: operation as Json })),
  );

/** What a reference points to; fails the test when it is nothing. */
export function resolve(document: Json, reference: string): Json {
  assert.match(reference, /^#\//);
  const keys = reference.slice(2).split('/');
  const found = keys.reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);
  assert.ok(found, `${reference} is not in the document`);
  return found as Json;
}

type Below = (inner: unknown, item: unknown, key: string | number) => string | undefined;

/** The first way in which a value is not what a schema of the document says; undefined when it is. */
export function mismatch(document: Json, schema: Json | true, value: unknown, at = ''): string | undefined {
  if (schema === true) return undefined;
  if (typeof schema['$ref'] === 'string') return mismatch(document, resolve(document, schema['$ref']), value, at);
  const below: Below = (inner, item, key) => mismatch(document, inner as Json, item, `${at}/${key}`);
  const fitting = (branches: Json[]) =>
    branches.filter((branch) => mismatch(document, branch, value, at) === undefined).length;
  if (schema['anyOf'] && fitting(schema['anyOf'] as Json[]) === 0) return `${at}: fits nothing of anyOf`;
  if (schema['oneOf'] && fitting(schema['oneOf'] as Json[]) !== 1) return `${at}: does not fit exactly one of oneOf`;
  const plain = valueMismatch(schema, value, at);
  if (plain !== undefined) return plain;
  if (Array.isArray(value)) return arrayMismatch(schema, value, at, below);
  return typeof value === 'object' && value !== null ? objectMismatch(schema, value as Json, at, below) : undefined;
}

function valueMismatch(schema: Json, value: unknown, at: string): string | undefined {
  const types = [schema['type'] ?? []].flat() as string[];
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) return `${at}: not ${types}`;
  if (schema['enum'] && !(schema['enum'] as unknown[]).includes(value)) return `${at}: not in the enum`;
  if (typeof value !== 'number') return undefined;
  const isInside = value >= Number(schema['minimum'] ?? -Infinity) && value <= Number(schema['maximum'] ?? Infinity);
  return isInside ? undefined : `${at}: out of range`;
}

function arrayMismatch(schema: Json, value: readonly unknown[], at: string, below: Below): string | undefined {
  if (value.length < Number(schema['minItems'] ?? 0) || value.length > Number(schema['maxItems'] ?? Infinity)) {
    return `${at}: ${value.length} items`;
  }
  const prefix = (schema['prefixItems'] ?? []) as unknown[];
  return value.map((item, i) => below(prefix[i] ?? schema['items'] ?? true, item, i)).find((found) => found);
}

function objectMismatch(schema: Json, value: Json, at: string, below: Below): string | undefined {
  const missing = ((schema['required'] ?? []) as string[]).find((key) => !Object.hasOwn(value, key));
  if (missing) return `${at}: ${missing} is missing`;
  const properties = (schema['properties'] ?? {}) as Json;
  return Object.entries(value)
    .map(([key, item]) => below(properties[key] ?? true, item, key))
    .find((found) => found);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

/** Fails where the document is not one of OpenAPI 3.1. */
export function checkRules(document: Json): void {
  assert.match(String(document['openapi']), /^3\.1\.\d+$/);
  const info = document['info'] as Json;
  for (const key of ['title', 'version']) assert.equal(typeof info[key], 'string', `info.${key}`);
  const known = new Set(['openapi', 'info', 'servers', 'security', 'tags', 'paths', 'components', 'externalDocs']);
  assert.deepEqual(
    Object.keys(document).filter((key) => !known.has(key)),
    [],
  );
  const operations = operationsOf(document);
  const ids = operations.map(({ operation }) => operation['operationId']);
  assert.equal(new Set(ids).size, ids.length, 'every operationId once');
  for (const operation of operations) checkOperation(document, operation);
  for (const [at, found] of objectsIn(document)) checkSchema(document, at, found);
  checkSecurity(document);
}

function checkOperation(document: Json, { path, method, operation }: Operation): void {
  const where = `${method} ${path}`;
  assert.match(path, /^\//, where);
  assert.match(method, /^(get|post)$/, where);
  const tags = (document['tags'] as Json[]).map(({ name }) => name);
  assert.ok(
    (operation['tags'] as string[]).every((tag) => tags.includes(tag)),
    where,
  );
  const parameters = ((operation['parameters'] ?? []) as Json[]).map((parameter) =>
    typeof parameter['$ref'] === 'string' ? resolve(document, parameter['$ref']) : parameter,
  );
  for (const { name, in: place, schema } of parameters) {
    assert.ok(typeof name === 'string' && schema && ['query', 'header', 'path'].includes(String(place)), where);
  }
  const inPath = parameters.filter((parameter) => parameter['in'] === 'path');
  assert.ok(
    inPath.every(({ required }) => required === true),
    where,
  );
  const templated = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
  assert.deepEqual(
    inPath.map(({ name }) => name),
    templated,
    where,
  );
  const responses = Object.entries(operation['responses'] as Json);
  assert.ok(responses.length > 0, where);
  for (const [status, response] of responses) {
    assert.match(status, /^[1-5]\d\d$/, where);
    assert.equal(typeof (response as Json)['description'], 'string', `${where} ${status}`);
  }
  if (operation['requestBody']) assert.ok((operation['requestBody'] as Json)['content'], where);
}

const JSON_TYPES = new Set(['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']);

/** Examples and names of properties are the model's own words. */
const isFree = (at: string): boolean => /\/(value|example|properties)(\/|$)/.test(at) && !/\/schema\b/.test(at);

function checkSchema(document: Json, at: string, found: Json): void {
  if (isFree(at) || at.includes('/securitySchemes/') || at.endsWith('/properties')) return;
  if (typeof found['$ref'] === 'string') resolve(document, found['$ref']);
  for (const type of [found['type'] ?? []].flat()) assert.ok(JSON_TYPES.has(String(type)), `${at}: type ${type}`);
  if (found['properties'] && found['required'] !== undefined) assert.ok(Array.isArray(found['required']), at);
}

/** Every object in the document, with where it is. */
function* objectsIn(value: unknown, at = '#'): Generator<[at: string, found: Json]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [at, value as Json];
  for (const [key, inner] of Object.entries(value)) yield* objectsIn(inner, `${at}/${key}`);
}

function checkSecurity(document: Json): void {
  const schemes = Object.keys(((document['components'] as Json)['securitySchemes'] ?? {}) as Json);
  for (const requirement of (document['security'] ?? []) as Json[]) {
    for (const scheme of Object.keys(requirement)) assert.ok(schemes.includes(scheme), scheme);
  }
}
