import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { artifactDigest, Manifest, type PublishRun, parseS3Uri, shortHash } from '@slipway/contract';
import { openTracking } from '@slipway/database';
import { parse } from 'yaml';
import type { Env } from '../src/environment.ts';
import { createLog } from '../src/log.ts';
import { runPublish } from '../src/publish/run.ts';
import { Watch } from '../src/watch/watch.ts';
import { OTHER_NAMESPACE, startTenant, type Tenant } from './tenant.ts';

let tenant: Tenant;
before(async () => {
  tenant = await startTenant();
});
after(() => tenant?.stop());

const STEPS = [
  'looked up',
  'uploaded model/model.onnx',
  'uploaded artifacts/confusion_matrix.csv',
  'uploaded artifacts/confusion_matrix.json',
  'uploaded artifacts/feature_importance.json',
  'uploaded model/signature.json',
  'uploaded model/examples.json',
  'uploaded model/profile.json',
  'uploaded model/MLmodel',
  'manifest written',
  'committed',
];

async function runKilled(env: Env, afterStep: number): Promise<{ step: string; signal: string | null }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'killed-publish.ts')], {
    env: { ...process.env, ...env, KILL_AFTER_STEP: String(afterStep) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [step, [, signal]] = await Promise.all([buffer(child.stderr), once(child, 'exit')]);
  return { step: step.toString(), signal };
}

/** Publishes in this process; the lines it logged, and a way to wait for one of them. */
function publishHere(env: Env) {
  const lines: string[] = [];
  const waiting: { text: string; found: () => void }[] = [];
  const log = createLog('publish', (line) => {
    lines.push(line);
    for (const { text, found } of waiting) if (line.includes(text)) found();
  });
  return {
    lines,
    logged: (text: string) => new Promise<void>((found) => waiting.push({ text, found })),
    done: runPublish(log, env),
  };
}

/** What must hold of a published run, whatever happened on the way. */
async function assertPublishedOnce(run: PublishRun, podUid: string): Promise<void> {
  const found = await tenant.stores.runs.find(run.namespace, run.runKey);
  assert.equal(found?.status, 'FINISHED');
  assert.equal(found.version, 1);
  assert.equal(found.metrics['accuracy'], found.metrics['validation_accuracy']);
  const versions = (await tenant.stores.versions.list(run.namespace)).filter(({ model }) => model === run.model);
  assert.equal(versions.length, 1);
  const { artifact, lineage, signature } = versions[0] ?? {};
  const key = parseS3Uri(artifact?.uri ?? '')?.key ?? '';
  assert.equal(key, `team-a/${run.experimentId}/${run.runId}/artifacts/${shortHash(podUid, 12)}/model`);
  assert.equal(artifact?.digest, artifactDigest(artifact?.files ?? []));
  assert.deepEqual(signature?.outputs[0]?.labels, ['setosa', 'versicolor', 'virginica']);
  assert.equal(lineage?.inputs?.[0]?.uri, 'builtin://iris.csv');
  await assertComplete(key.replace(/\/model$/, ''), run);
}

/** The manifest is there, and every file it names has the bytes it says. */
async function assertComplete(prefix: string, run: PublishRun): Promise<void> {
  const read = async (path: string) => buffer(await tenant.objects.get(`${prefix}/${path}`));
  const manifest = Manifest.parse(JSON.parse((await read('manifest.json')).toString()));
  assert.equal(manifest.runKey, run.runKey);
  const uploaded = STEPS.filter((step) => step.startsWith('uploaded ')).map((step) => step.slice('uploaded '.length));
  assert.deepEqual(
    manifest.files.map(({ path }) => path),
    uploaded,
  );
  for (const { path, sha256, size } of manifest.files) {
    const bytes = await read(path);
    assert.equal(bytes.length, size);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, path);
  }
  assert.equal(parse((await read('model/MLmodel')).toString()).run_id, run.runId);
}

// One artifact is uploaded as the next one is.
const isLikeTheOneBefore = (step: string) => step.endsWith('.json') && step.includes('artifacts/');
for (const [i, step] of STEPS.entries()) {
  if (isLikeTheOneBefore(step)) continue;
  for (const [pod, second] of [
    ['the same pod', 'pod-1'],
    ['another pod', 'pod-2'],
  ] as const) {
    test(`killed after "${step}" and run again by ${pod}: one version, complete`, async () => {
      const run = await tenant.startRun('team-a');
      const killed = await runKilled(tenant.envFor(run, 'pod-1'), i + 1);
      assert.deepEqual(killed, { step, signal: 'SIGKILL' });
      await publishHere(tenant.envFor(run, second)).done;
      await assertPublishedOnce(run, step === 'committed' ? 'pod-1' : second);
    });
  }
}

test('publishing what is published already changes nothing', async () => {
  const run = await tenant.startRun('team-a');
  await publishHere(tenant.envFor(run, 'pod-1')).done;
  const again = publishHere(tenant.envFor(run, 'pod-2'));
  await again.done;
  assert.match(again.lines.join(''), /was published before/);
  await assertPublishedOnce(run, 'pod-1');
});

for (const store of ['s3', 'postgres'] as const) {
  test(`${store} away, then back: waited for with a log line a try, published once`, async () => {
    const run = await tenant.startRun('team-a');
    tenant.proxies[store].shut();
    const publishing = publishHere(tenant.envFor(run, 'pod-1'));
    await publishing.logged('"attempt":2');
    tenant.proxies[store].open();
    await publishing.done;
    await assertPublishedOnce(run, 'pod-1');
  });

  test(`${store} away past the deadline: a reason that says so`, async () => {
    const run = await tenant.startRun('team-a');
    tenant.proxies[store].shut();
    const env = { ...tenant.envFor(run, 'pod-1'), PUBLISH_DEADLINE_SECONDS: '1' };
    const reason = store === 's3' ? 'ObjectStorageUnavailable' : 'PostgresUnavailable';
    await assert.rejects(publishHere(env).done, { name: 'FailureError', reason });
    tenant.proxies[store].open();
    assert.equal((await tenant.stores.runs.find('team-a', run.runKey))?.status, 'RUNNING');
  });
}

test("a tenant's credentials reach neither another tenant's objects nor its runs", async () => {
  const theirs = await tenant.startRun(OTHER_NAMESPACE);
  const env = { ...tenant.envFor(theirs, 'pod-1'), DENIED_GRACE_SECONDS: '1' };
  await assert.rejects(publishHere(env).done, { name: 'FailureError', reason: 'ObjectStorageDenied' });
  assert.deepEqual(await tenant.objects.list(`${OTHER_NAMESPACE}/`), []);

  const disguised = { ...theirs, namespace: 'team-a' };
  await assert.rejects(publishHere(tenant.envFor(disguised, 'pod-1')).done, { reason: 'PublishRefused' });
  assert.equal((await tenant.stores.runs.find(OTHER_NAMESPACE, theirs.runKey))?.status, 'RUNNING');
  assert.deepEqual(await tenant.stores.versions.list(OTHER_NAMESPACE), []);
});

test('a run that asks for no model is tracked: metrics and parameters, no version', async () => {
  const { model: _, ...run } = await tenant.startRun('team-a');
  await publishHere(tenant.envFor(run, 'pod-1')).done;
  const found = await tenant.stores.runs.find('team-a', run.runKey);
  assert.equal(found?.status, 'FINISHED');
  assert.equal(found.version, undefined);
  const { rows } = await tenant.pool.query('SELECT key, value FROM slipway.params WHERE run_id = $1', [run.runId]);
  const params = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
  assert.equal(params['C'], '0.5');
  assert.equal(params['random_state'], '42');
});

test('bytes that somebody else put under the key are refused, not overwritten', async () => {
  const run = await tenant.startRun('team-a');
  const key = `team-a/${run.experimentId}/${run.runId}/artifacts/${shortHash('pod-1', 12)}/model/model.onnx`;
  await tenant.objects.put(key, Buffer.from('other'), 5);
  await assert.rejects(publishHere(tenant.envFor(run, 'pod-1')).done, { reason: 'PublishRefused' });
  assert.equal((await buffer(await tenant.objects.get(key))).toString(), 'other');
});

const register = {
  stage: 'Staging',
  aliases: ['candidate'],
  tags: { team: 'flowers' },
  gate: [{ metric: 'accuracy', min: 0.5 }],
};
const versionOf = async (run: PublishRun) =>
  (await tenant.stores.versions.list(run.namespace)).find(({ model }) => model === run.model);

test('a version that passes its gates gets what was asked for once it is proven, and the verdict is kept', async () => {
  const run = { ...(await tenant.startRun('team-a')), register };
  await publishHere(tenant.envFor(run, 'pod-1')).done;
  const found = await tenant.stores.runs.find('team-a', run.runKey);
  assert.equal(found?.gate?.passed, true);
  assert.match(found?.gate?.results[0]?.message ?? '', /^accuracy is [\d.]+, at least 0\.5$/);
  assert.deepEqual((await versionOf(run))?.tags['team'], 'flowers');
  await tenant.stores.versions.recordVerification('team-a', run.model ?? '', 1, { status: 'READY', message: '' });
  const proven = await versionOf(run);
  assert.deepEqual([proven?.stage, proven?.aliases, proven?.lineage.gate?.passed], ['Staging', ['candidate'], true]);
});

test('a version that fails a gate keeps its number and its tags, and gets neither stage nor alias', async () => {
  const gate = [...register.gate, { metric: 'accuracy', min: 1.5 }];
  const run = { ...(await tenant.startRun('team-a')), register: { ...register, gate } };
  const { done, lines } = publishHere(tenant.envFor(run, 'pod-1'));
  await done;
  await tenant.stores.versions.recordVerification('team-a', run.model ?? '', 1, { status: 'READY', message: '' });
  const version = await versionOf(run);
  assert.deepEqual(
    [version?.version, version?.stage, version?.aliases, version?.tags['team'], version?.lineage.gate?.passed],
    [1, 'None', [], 'flowers', false],
  );
  assert.match(lines.join(''), /not at least 1\.5/);
});

test('a trial keeps its model for the search and registers nothing', async () => {
  const search = await tenant.startRun('team-a');
  const trialKey = `${search.runKey}/c0`;
  const trial = await tenant.startRun('team-a', { runKey: trialKey, parentRunKey: search.runKey });
  await publishHere(tenant.envFor({ ...trial, register, isTrial: true }, 'pod-1')).done;
  assert.equal((await tenant.stores.runs.find('team-a', trialKey))?.status, 'FINISHED');
  assert.equal(await versionOf(trial), undefined);
  const end = { trialKey, endTime: new Date().toISOString() };
  await tenant.stores.runs.concludeSearch('team-a', search.runKey, end);
  assert.equal((await versionOf(trial))?.tags['team'], 'flowers');
});

test('a trial without a model is a failure of the trainer: nothing could be registered of it', async () => {
  const { runKey } = await tenant.startRun('team-a');
  const trial = await tenant.startRun('team-a', { runKey: `${runKey}/c0`, parentRunKey: runKey });
  const env = { ...tenant.envFor({ ...trial, isTrial: true }, 'pod-1'), OUTPUT_DIR: tenant.dirs.INPUT_DIR };
  await assert.rejects(publishHere(env).done, { reason: 'NoModelProduced', message: /a trial of a search has to/ });
});

const rowsOf = async (sql: string, run: PublishRun) => (await tenant.pool.query(sql, [run.runId])).rows;

test('what was read is a data set of the run, by name, place and digest', async () => {
  const run = await tenant.startRun('team-a');
  await publishHere(tenant.envFor(run, 'pod-1')).done;
  const sql =
    'SELECT d.name, d.source FROM slipway.run_datasets r JOIN slipway.datasets d USING (namespace, experiment_id, name, digest) WHERE r.run_id = $1';
  const [input] = await rowsOf(sql, run);
  assert.equal(input?.name, 'train');
  const { uri, sha256 } = JSON.parse(input?.source);
  assert.equal(uri, 'builtin://iris.csv');
  assert.equal(
    sha256,
    createHash('sha256')
      .update(readFileSync(join(tenant.dirs.INPUT_DIR, 'train')))
      .digest('hex'),
  );
});

test('points that were told while the trainer ran are not there twice', async () => {
  const run = await tenant.startRun('team-a');
  const OUTPUT_DIR = mkdtempSync(join(tmpdir(), 'slipway-live-'));
  const points = ['{"key":"loss","value":3,"step":1}', '{"key":"loss","value":2,"step":2,"ts":77}'];
  writeFileSync(join(OUTPUT_DIR, 'metrics.jsonl'), `${points.join('\n')}\n`);
  const tracking = openTracking(tenant.pool);
  const watch = new Watch({
    outputDir: OUTPUT_DIR,
    startTime: run.startTime ?? 0,
    post: async ({ metrics, tags }) => {
      await tracking.logBatch('team-a', run.runId, { metrics, tags });
      return 'taken';
    },
    now: Date.now,
    random: Math.random,
    log: () => {},
  });
  await watch.look(new AbortController().signal);
  const count = () => rowsOf('SELECT count(*)::int AS n FROM slipway.metrics WHERE run_id = $1', run);
  assert.deepEqual(await count(), [{ n: 2 }]);
  const { model: _, ...tracked } = run;
  await publishHere({ ...tenant.envFor(tracked, 'pod-1'), OUTPUT_DIR }).done;
  assert.deepEqual(await count(), [{ n: 2 }]);
  rmSync(OUTPUT_DIR, { recursive: true });
});
