import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openReader } from '@slipway/database';
import { type Fixture, type Refusal, startModels, waitingForLocks } from '../testing/models.ts';

let registry: Fixture;
before(async () => {
  registry = await startModels();
  await registry.ok('POST', 'registered-models/create', { name: 'taken' });
  await registry.ok('POST', 'model-versions/create', { name: 'taken', source: 's3://elsewhere/x' });
});
after(() => registry?.stop());

const create = (name: string, more: object = {}) => registry.ok('POST', 'registered-models/create', { name, ...more });
const get = async (name: string) => (await registry.ok('GET', 'registered-models/get', { name })).registered_model;
const newVersion = async (name: string) =>
  (await registry.ok('POST', 'model-versions/create', { name, source: 's3://elsewhere/x' })).model_version.version;
const use = (model: string, version: number, service: string) =>
  registry.pool.query('INSERT INTO slipway.version_uses (namespace, model, version, service) VALUES ($1, $2, $3, $4)', [
    'default',
    model,
    version,
    service,
  ]);

const MISSING =
  "Missing value for required parameter 'name'. See the API docs for more information about request parameters.";
const INVALID = 'INVALID_PARAMETER_VALUE';
const GONE = 'RESOURCE_DOES_NOT_EXIST';
const TAKEN = 'RESOURCE_ALREADY_EXISTS';

const created = (name: unknown, more: object = {}): Refusal['request'] => [
  'POST',
  'registered-models/create',
  { name, ...more },
];
const aliased = (more: object): Refusal['request'] => [
  'POST',
  'registered-models/alias',
  { name: 'taken', alias: 'champion', version: '1', ...more },
];

const refusals: readonly Refusal[] = [
  { what: 'a model without a name', request: created(undefined), status: 400, code: INVALID, message: MISSING },
  { what: 'an empty name', request: created(''), status: 400, code: INVALID, message: MISSING },
  {
    what: 'a name of blanks',
    request: created('  '),
    status: 400,
    code: INVALID,
    message: "Missing value for required parameter 'name'.",
  },
  {
    what: 'a name that is a number',
    request: created(5),
    status: 400,
    code: INVALID,
    message: /^Invalid value 5 for parameter 'name' supplied: {2}Hint: Value was of type 'int'\./,
  },
  {
    what: 'a name with a slash',
    request: created('a/b'),
    status: 400,
    code: INVALID,
    message: "Invalid model name 'a/b'. Names cannot contain '/' or ':'.",
  },
  {
    what: 'a name with a colon',
    request: created('a:b'),
    status: 400,
    code: INVALID,
    message: "Invalid model name 'a:b'. Names cannot contain '/' or ':'.",
  },
  {
    what: 'a name that is a folder',
    request: created('..'),
    status: 400,
    code: INVALID,
    message: /This name would resolve to '\.\.'$/,
  },
  { what: 'a name with a NUL', request: created('a\0b'), status: 400, code: INVALID, message: /NUL/ },
  {
    what: 'a name with half a character',
    request: created('\ud800'),
    status: 400,
    code: INVALID,
    message: /surrogate/,
  },
  {
    what: 'a name with a line break',
    request: created('a\nb'),
    status: 400,
    code: INVALID,
    message: /control characters/,
  },
  {
    what: 'a name that is too long',
    request: created('x'.repeat(257)),
    status: 400,
    code: INVALID,
    message: "'name' exceeds the maximum length of 256 characters",
  },
  {
    what: 'a name that is taken',
    request: created('taken'),
    status: 400,
    code: TAKEN,
    message: 'Registered Model (name=taken) already exists.',
  },
  {
    what: 'a prompt by the name of a model',
    request: created('taken', { tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }] }),
    status: 400,
    code: TAKEN,
    message: /^Tried to create a prompt with name 'taken', but the name is already taken by a registered model\./,
  },
  {
    what: 'a tag with a strange key',
    request: created('new', { tags: [{ key: 'a!', value: 'v' }] }),
    status: 400,
    code: INVALID,
    message: /^Invalid value "a!" for parameter 'key' supplied: Names may only contain/,
  },
  {
    what: 'a tag whose key is too long',
    request: created('new', { tags: [{ key: 'k'.repeat(251), value: 'v' }] }),
    status: 400,
    code: INVALID,
    message: "'key' exceeds the maximum length of 250 characters",
  },
  {
    what: 'a tag whose value is too long',
    request: created('new', { tags: [{ key: 'k', value: 'v'.repeat(100_001) }] }),
    status: 400,
    code: INVALID,
    message: "'value' exceeds the maximum length of 100000 characters",
  },
  {
    what: 'a tag value with a NUL',
    request: created('new', { tags: [{ key: 'k', value: 'a\0' }] }),
    status: 400,
    code: INVALID,
    message: /tags\[0\]\.value/,
  },
  {
    what: 'a description that is too long',
    request: created('new', { description: 'x'.repeat(100_001) }),
    status: 400,
    code: INVALID,
    message: /'description' exceeds/,
  },
  {
    what: 'getting a model that is not there',
    request: ['GET', 'registered-models/get', { name: 'nope' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'updating one',
    request: ['PATCH', 'registered-models/update', { name: 'nope' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'renaming one',
    request: ['POST', 'registered-models/rename', { name: 'nope', new_name: 'x' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'deleting one',
    request: ['DELETE', 'registered-models/delete', { name: 'nope' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'tagging one',
    request: ['POST', 'registered-models/set-tag', { name: 'nope', key: 'k', value: 'v' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'untagging one',
    request: ['DELETE', 'registered-models/delete-tag', { name: 'nope', key: 'k' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'the newest versions of one',
    request: ['POST', 'registered-models/get-latest-versions', { name: 'nope' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'an alias of one',
    request: ['GET', 'registered-models/alias', { name: 'nope', alias: 'x' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'forgetting an alias of one',
    request: ['DELETE', 'registered-models/alias', { name: 'nope', alias: 'x' }],
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'renaming to nothing',
    request: ['POST', 'registered-models/rename', { name: 'taken', new_name: ' ' }],
    status: 400,
    code: INVALID,
    message: "Missing value for required parameter 'new_name'.",
  },
  {
    what: 'renaming to a bad name',
    request: ['POST', 'registered-models/rename', { name: 'taken', new_name: 'a/b' }],
    status: 400,
    code: INVALID,
    message: "Invalid model name 'a/b'. Names cannot contain '/' or ':'.",
  },
  {
    what: 'an unknown stage',
    request: ['POST', 'registered-models/get-latest-versions', { name: 'taken', stages: ['Prod'] }],
    status: 400,
    code: INVALID,
    message: 'Invalid Model Version stage: Prod. Value must be one of None, Staging, Production, Archived.',
  },
  {
    what: 'an alias that nobody set',
    request: ['GET', 'registered-models/alias', { name: 'taken', alias: 'nope' }],
    status: 400,
    code: INVALID,
    message: 'Registered model alias nope not found.',
  },
  {
    what: 'the alias latest',
    request: aliased({ alias: 'LaTest' }),
    status: 400,
    code: INVALID,
    message: "'latest' alias name (case insensitive) is reserved.",
  },
  {
    what: 'an alias like a version',
    request: aliased({ alias: 'V22' }),
    status: 400,
    code: INVALID,
    message: "Version alias name 'V22' is reserved.",
  },
  {
    what: 'an alias with a blank',
    request: aliased({ alias: 'a b' }),
    status: 400,
    code: INVALID,
    message: "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-).",
  },
  {
    what: 'an alias that is too long',
    request: aliased({ alias: 'x'.repeat(256) }),
    status: 400,
    code: INVALID,
    message: "'Registered model alias name' exceeds the maximum length of 255 characters",
  },
  {
    what: 'an alias of a version that is not there',
    request: aliased({ version: '77' }),
    status: 404,
    code: GONE,
    message: 'Model Version (name=taken, version=77) not found',
  },
  {
    what: 'an alias of what is no version',
    request: aliased({ version: 'abc' }),
    status: 400,
    code: INVALID,
    message: "Parameter 'version' must be an integer, got 'abc'.",
  },
  {
    what: 'an alias of a version that no row can have',
    request: aliased({ version: '99999999999' }),
    status: 404,
    code: GONE,
    message: 'Model Version (name=taken, version=99999999999) not found',
  },
];

for (const { what, request, status, code, message } of refusals)
  test(`${what} is refused with ${status}`, async () => {
    const answer = await registry.call(...request);
    assert.deepEqual([answer.status, answer.body.error_code], [status, code], JSON.stringify(answer.body));
    if (typeof message === 'string') assert.equal(answer.body.message, message);
    else assert.match(answer.body.message, message);
  });

test('a model is made, described, tagged and read', async () => {
  const { registered_model: made } = await create('ünï', {
    tags: [{ key: 'b', value: '1' }, { key: 'a' }, { key: 'b', value: '2' }],
  });
  assert.deepEqual(Object.keys(made), ['name', 'creation_timestamp', 'last_updated_timestamp', 'tags']);
  assert.deepEqual(made.tags, [
    { key: 'a', value: '' },
    { key: 'b', value: '2' },
  ]);
  const { registered_model: updated } = await registry.ok('PATCH', 'registered-models/update', {
    name: 'ünï',
    description: 'new',
  });
  assert.equal(updated.description, 'new');
  assert.ok(updated.last_updated_timestamp >= made.last_updated_timestamp);
  assert.deepEqual(await registry.ok('POST', 'registered-models/set-tag', { name: 'ünï', key: 'a', value: 'x' }), {});
  assert.deepEqual(await registry.ok('DELETE', 'registered-models/delete-tag', { name: 'ünï', key: 'b' }), {});
  assert.deepEqual(
    await registry.ok('DELETE', 'registered-models/delete-tag', { name: 'ünï', key: 'never there' }),
    {},
  );
  const read = await get('ünï');
  assert.deepEqual([read.description, read.tags], ['new', [{ key: 'a', value: 'x' }]]);
});

test('the newest version of each stage is told, with its aliases by get-latest-versions only', async () => {
  await create('newest');
  for (let index = 0; index < 4; index++) await newVersion('newest');
  const stage = (version: string, to: string) =>
    registry.ok('POST', 'model-versions/transition-stage', { name: 'newest', version, stage: to });
  await stage('1', 'Production');
  await stage('2', 'production');
  await registry.ok('POST', 'registered-models/alias', { name: 'newest', alias: 'champion', version: '2' });
  const shown = (versions: { version: string; current_stage: string; aliases?: string[] }[]) =>
    versions.map(({ version, current_stage, aliases }) => [version, current_stage, aliases]);
  const ask = async (method: string, parameters: object) =>
    shown(
      (await registry.ok(method, 'registered-models/get-latest-versions', { name: 'newest', ...parameters }))
        .model_versions ?? [],
    );
  const all = [
    ['2', 'Production', ['champion']],
    ['4', 'None', undefined],
  ];
  assert.deepEqual(await ask('POST', {}), all);
  assert.deepEqual(await ask('GET', {}), all);
  assert.deepEqual(await ask('POST', { stages: ['PRODUCTION', 'Staging'] }), [all[0]]);
  assert.deepEqual(await ask('GET', { stages: ['Production', 'None'] }), all);
  assert.deepEqual(await ask('POST', { stages: ['Archived'] }), []);
  const model = await get('newest');
  assert.deepEqual(
    shown(model.latest_versions),
    all.map(([version, current]) => [version, current, undefined]),
  );
  assert.deepEqual(model.aliases, [{ alias: 'champion', version: '2' }]);
  const { model_version: latest } = await registry.ok('GET', 'registered-models/alias', {
    name: 'newest',
    alias: 'Latest',
  });
  assert.equal(latest.version, '4');
});

test('an alias points to one version, moves, and may be deleted twice', async () => {
  await create('aliased');
  await newVersion('aliased');
  await newVersion('aliased');
  const alias = (version: string) =>
    registry.ok('POST', 'registered-models/alias', { name: 'aliased', alias: 'champion', version });
  await alias('1');
  await alias('2');
  await alias('2');
  const { model_version: found } = await registry.ok('GET', 'registered-models/alias', {
    name: 'aliased',
    alias: 'champion',
  });
  assert.deepEqual([found.version, found.aliases], ['2', ['champion']]);
  for (let twice = 0; twice < 2; twice++)
    assert.deepEqual(
      await registry.ok('DELETE', 'registered-models/alias', { name: 'aliased', alias: 'champion' }),
      {},
    );
  const events = await openReader(registry.pool).history('default', 'aliased', { limit: 100 });
  assert.deepEqual(
    events
      .filter(({ event }) => event.startsWith('Alias'))
      .map(({ version, event, from, to, actor }) => [version, event, from, to, actor]),
    [
      [1, 'AliasSet', null, 'champion', 'anonymous'],
      [2, 'AliasSet', '1', 'champion', 'anonymous'],
      [2, 'AliasDeleted', '2', 'champion', 'anonymous'],
    ],
  );
});

test('a renamed model keeps versions, aliases, tags and history, and its old name is free', async () => {
  await create('before', { tags: [{ key: 'k', value: 'v' }] });
  await newVersion('before');
  await registry.ok('POST', 'model-versions/set-tag', { name: 'before', version: '1', key: 'k', value: 'v' });
  await registry.ok('POST', 'registered-models/alias', { name: 'before', alias: 'champion', version: '1' });
  await registry.ok('POST', 'model-versions/transition-stage', { name: 'before', version: '1', stage: 'Production' });
  const { rows } = await registry.pool.query(
    `SELECT to_char(max(time) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at FROM slipway.model_events WHERE model = 'before'`,
  );
  const then: string = rows[0].at;
  const { registered_model: renamed } = await registry.ok('POST', 'registered-models/rename', {
    name: 'before',
    new_name: 'after',
  });
  assert.deepEqual(
    [renamed.name, renamed.tags, renamed.aliases],
    ['after', [{ key: 'k', value: 'v' }], [{ alias: 'champion', version: '1' }]],
  );
  assert.equal((await registry.call('GET', 'registered-models/get', { name: 'before' })).status, 404);
  const { model_version: version } = await registry.ok('GET', 'model-versions/get', { name: 'after', version: '1' });
  assert.deepEqual(
    [version.name, version.current_stage, version.aliases, version.tags],
    ['after', 'Production', ['champion'], [{ key: 'k', value: 'v' }]],
  );

  // The old name is another model now, and each has its own history.
  await create('before');
  assert.equal(await newVersion('before'), '1');
  const reader = openReader(registry.pool);
  const kinds = async (model: string) =>
    (await reader.history('default', model, { limit: 100 })).map(({ event }) => event);
  assert.deepEqual(await kinds('after'), ['Registered', 'AliasSet', 'StageChanged', 'Renamed']);
  assert.deepEqual(await kinds('before'), ['Registered']);
  await registry.ok('DELETE', 'model-versions/delete', { name: 'after', version: '1' });
  assert.deepEqual(await reader.stateAt('default', 'after', then), {
    stages: { Production: [1] },
    aliases: { champion: 1 },
  });
  assert.deepEqual(await reader.stateAt('default', 'after', new Date(Date.now() + 1000).toISOString()), {
    stages: {},
    aliases: {},
  });
  assert.deepEqual(await reader.stateAt('default', 'after', new Date(0).toISOString()), { stages: {}, aliases: {} });
  assert.equal(await reader.stateAt('default', 'never', then), undefined);
});

test('a name that is taken, by a model or by what is left of one, is no new name', async () => {
  await create('one');
  await create('two');
  const rename = () => registry.call('POST', 'registered-models/rename', { name: 'one', new_name: 'two' });
  const taken = await rename();
  assert.deepEqual(
    [taken.status, taken.body.error_code, taken.body.message],
    [400, TAKEN, 'Registered Model (name=two) already exists.'],
  );
  await registry.ok('DELETE', 'registered-models/delete', { name: 'two' });
  const left = await rename();
  assert.deepEqual([left.status, left.body.error_code], [409, 'RESOURCE_CONFLICT']);
  assert.match(left.body.message, /name=two.*was deleted.*choose another name/);
  assert.equal(
    (await registry.ok('POST', 'registered-models/rename', { name: 'one', new_name: 'one' })).registered_model.name,
    'one',
  );
});

test('a deleted model is gone with all it had, and its numbers are never given again', async () => {
  await create('phoenix', { description: 'old', tags: [{ key: 'k', value: 'v' }] });
  await newVersion('phoenix');
  assert.equal(await newVersion('phoenix'), '2');
  await registry.ok('POST', 'registered-models/alias', { name: 'phoenix', alias: 'champion', version: '2' });
  assert.deepEqual(await registry.ok('DELETE', 'registered-models/delete', { name: 'phoenix' }), {});
  for (const [path, parameters] of [
    ['registered-models/get', { name: 'phoenix' }],
    ['model-versions/get', { name: 'phoenix', version: '2' }],
  ] as const)
    assert.equal((await registry.call('GET', path, parameters)).status, 404);
  assert.equal(
    (await registry.call('POST', 'model-versions/create', { name: 'phoenix', source: 's3://x/y' })).status,
    404,
  );
  assert.equal((await registry.call('DELETE', 'registered-models/delete', { name: 'phoenix' })).status, 404);
  assert.equal(
    (await registry.call('POST', 'registered-models/set-tag', { name: 'phoenix', key: 'k', value: 'v' })).status,
    404,
  );

  const { registered_model: again } = await create('phoenix');
  assert.deepEqual(Object.keys(again), ['name', 'creation_timestamp', 'last_updated_timestamp']);
  assert.equal(await newVersion('phoenix'), '3');
});

test('nothing that serves is deleted or renamed, and nothing else is touched by the attempt', async () => {
  await create('served');
  for (let index = 0; index < 3; index++) await newVersion('served');
  await use('served', 2, 'iris');
  await use('served', 2, 'iris-b');
  const attempts = [
    ['DELETE', 'model-versions/delete', { name: 'served', version: '2' }],
    ['DELETE', 'registered-models/delete', { name: 'served' }],
    ['POST', 'registered-models/rename', { name: 'served', new_name: 'other' }],
  ] as const;
  for (const [method, path, parameters] of attempts) {
    const { status, body } = await registry.call(method, path, parameters);
    assert.deepEqual([status, body.error_code], [409, 'RESOURCE_CONFLICT'], path);
    assert.match(body.message, /^Model version served\/2 is served by InferenceService\(s\) iris, iris-b: switch/);
  }
  for (const version of ['1', '2', '3']) await registry.ok('GET', 'model-versions/get', { name: 'served', version });
  await registry.ok('DELETE', 'model-versions/delete', { name: 'served', version: '3' });
  await registry.pool.query("DELETE FROM slipway.version_uses WHERE model = 'served'");
  await registry.ok('DELETE', 'registered-models/delete', { name: 'served' });
});

test('a delete waits for who begins to serve the version, and then sees it', async () => {
  await create('raced');
  await newVersion('raced');
  const client = await registry.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT FROM slipway.model_versions WHERE model = 'raced' AND version = 1 FOR UPDATE");
    const deleting = registry.call('DELETE', 'registered-models/delete', { name: 'raced' });
    await waitingForLocks(registry.pool, 1);
    await client.query(
      "INSERT INTO slipway.version_uses (namespace, model, version, service) VALUES ('default', 'raced', 1, 'iris')",
    );
    await client.query('COMMIT');
    assert.equal((await deleting).status, 409);
  } finally {
    client.release();
  }
});

test('namespaces do not see each other', async () => {
  await create('mine');
  const inOther = async (path: string, init?: RequestInit) =>
    (await fetch(`${registry.url}/n/team-b/api/2.0/mlflow/${path}`, init)).status;
  assert.equal(await inOther('registered-models/get?name=mine'), 404);
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'mine' });
  assert.equal(await inOther('registered-models/delete', { method: 'DELETE', headers: json, body }), 404);
  assert.equal(await inOther('registered-models/create', { method: 'POST', headers: json, body }), 200);
  assert.equal((await get('mine')).name, 'mine');
});
