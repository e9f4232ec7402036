import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../errors.ts';
import { claimOf, type SourceClaim, type SourceRequest } from './claim.ts';

const place = { bucket: 'slipway', namespace: 'team-a' };
const RUN = 'a'.repeat(32);
const MODEL = `m-${'b'.repeat(32)}`;

const claim = (source: string, named: Partial<SourceRequest> = {}): SourceClaim =>
  claimOf({ source, isPrompt: false, ...named }, place);

const accepted: readonly (readonly [source: string, named: Partial<SourceRequest>, expected: SourceClaim])[] = [
  ['dummy-source', { isPrompt: true }, { kind: 'prompt' }],
  ['models:/iris/3', {}, { kind: 'version', name: 'iris', selector: { version: '3' } }],
  ['models:/iris/Production', {}, { kind: 'version', name: 'iris', selector: { stage: 'Production' } }],
  ['models:/iris/LATEST', {}, { kind: 'version', name: 'iris', selector: { latest: true } }],
  ['models:/iris@champion', {}, { kind: 'version', name: 'iris', selector: { alias: 'champion' } }],
  [`models:/${MODEL}`, { modelId: MODEL }, { kind: 'logged-model', modelId: MODEL }],
  [`runs:/${RUN}/model`, { runId: RUN }, { kind: 'run', runId: RUN, path: 'model' }],
  [`runs:/${RUN}/a//b/`, { runId: RUN }, { kind: 'run', runId: RUN, path: 'a/b' }],
  [`runs:/${RUN}`, { runId: RUN }, { kind: 'run', runId: RUN, path: '' }],
  [`mlflow-artifacts:/1/${RUN}/artifacts/model`, { runId: RUN }, { kind: 'artifact' }],
  ['s3://slipway/team-a/nets/net.onnx', {}, { kind: 'stored', uri: 's3://slipway/team-a/nets/net.onnx' }],
  ['S3://slipway/team-a/nets/', {}, { kind: 'stored', uri: 's3://slipway/team-a/nets' }],
  ['s3://slipway//team-a/nets', {}, { kind: 'stored', uri: 's3://slipway/team-a/nets' }],
  ['s3://other/team-b/net.onnx', { runId: 'unknown' }, { kind: 'foreign' }],
  ['gs://bucket/path', {}, { kind: 'foreign' }],
  ['dbfs:/path', {}, { kind: 'foreign' }],
  ['/etc/passwd', {}, { kind: 'local' }],
  ['file:///etc/passwd', {}, { kind: 'local' }],
  ['etc/passwd', {}, { kind: 'local' }],
  ['..', {}, { kind: 'local' }],
];

for (const [source, named, expected] of accepted)
  test(`${source} is taken for ${expected.kind}`, () => assert.deepEqual(claim(source, named), expected));

const HOST = /^'source' cannot use the '[a-z0-9-]+' scheme: /;
const PLAIN =
  /an absolute path must be provided without relative path references present\. Please provide an absolute path\.$/;
const OF_RUN = /The run_id request parameter must identify the resource that contains the source\.$/;
const OF_MODEL = /The model_id request parameter must identify the resource that contains the source\.$/;
const OURS = /may use what lies below s3:\/\/slipway\/team-a\/\.$/;

const refused: readonly (readonly [source: string, named: Partial<SourceRequest>, message: RegExp])[] = [
  [
    's3://b/x',
    { isPrompt: true },
    /^Invalid prompt source: 's3:\/\/b\/x'\. Prompt sources must use an MLflow placeholder\.$/,
  ],
  ...[
    'http://169.254.169.254/latest',
    'HTTPS://x/y',
    'ftp://x',
    'sftp://x/y',
    'hdfs://x/y',
    'viewfs://x',
    'r2://b/x',
    'b2://b/x',
    'abfss://c@a.dfs/x',
  ].map((source) => [source, {}, HOST] as const),
  [`mlflow-artifacts://elsewhere:5000/1/${RUN}/artifacts`, { runId: RUN }, HOST],
  ['\thttp://x/y', {}, HOST],
  ['ht\ntp://x/y', {}, HOST],
  // What leads out of a folder, however it is written.
  ...[
    `mlflow-artifacts:/1/${RUN}/artifacts/../../2`,
    `mlflow-artifacts:/1/${RUN}/artifacts/..%2f..%2f2`,
    `mlflow-artifacts:/1/${RUN}/artifacts/%252e%252e/2`,
    `mlflow-artifacts:/1/${RUN}/artifacts/%25252e%25252e%25252f2`,
    `mlflow-artifacts:/1/${RUN}/artifacts/./x`,
    `mlflow-artifacts:/1/${RUN}/artifacts/x%00`,
    'mlflow-artifacts:1/x',
    'mlflow-artifacts:/',
    `runs:/${RUN}/../other`,
    's3://other/a/../b',
    's3://slipway/team-a/../team-b/x',
    's3://slipway/team-a/%2e%2e/team-b/x',
    's3://slipway',
    'C:\\models',
  ].map((source) => [source, { runId: RUN }, PLAIN] as const),
  [`runs:/${RUN}/model`, {}, OF_RUN],
  [`runs:/${RUN}/model`, { runId: 'c'.repeat(32) }, OF_RUN],
  [`runs://host/${RUN}/model`, { runId: RUN }, OF_RUN],
  [`runs:/${RUN}/model`, { modelId: MODEL }, OF_MODEL],
  [`models:/${MODEL}`, {}, OF_MODEL],
  [`models:/${MODEL}`, { modelId: `m-${'c'.repeat(32)}` }, OF_MODEL],
  ['models:/', {}, OF_MODEL],
  ['models:/iris', {}, OF_MODEL],
  ['models:/iris/3/4', {}, OF_MODEL],
  ['models:/iris@', {}, OF_MODEL],
  ['models:iris/3', {}, OF_MODEL],
  ['models:/..', { modelId: '..' }, PLAIN],
  ['models://host/iris/3', {}, /Registered model sources must use the active model registry\.$/],
  // Another namespace's part of our bucket, and everything that only looks like ours.
  ...[
    's3://slipway/team-b/net.onnx',
    's3://slipway/team-a',
    's3://slipway/team-abc/x',
    's3://slipway//team-b/x',
    's3://slipway/team-b/?x=/team-a/',
    's3://slipway/team-a/x?versionId=1',
    's3://slipway/team-a/x#y',
    's3://slipway/team-a/x\\..\\..\\team-b',
  ].map((source) => [source, {}, OURS] as const),
];

for (const [source, named, message] of refused)
  test(`${JSON.stringify(source)} ${JSON.stringify(named)} is refused`, () => {
    assert.throws(
      () => claim(source, named),
      (error) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.code, 'INVALID_PARAMETER_VALUE');
        assert.match(error.message, message);
        return true;
      },
    );
  });
