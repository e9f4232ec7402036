import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { References, RunState, UploadState } from '@slipway/database';
import { decide, type Reason } from './decide.ts';

const DAY = 86_400_000;
const NOW = 1_000 * DAY;
const GRACE = 7 * DAY;
const daysAgo = (days: number): number => NOW - days * DAY;

const RUN = `1/${'a'.repeat(32)}`;
const MODEL = `1/models/m-${'b'.repeat(32)}`;
const UPLOAD = `data/${'c'.repeat(32)}`;
const DERIVED = `derived/iris/3/${'d'.repeat(64)}`;
const ATTEMPT = `${RUN}/artifacts/0123456789ab`;

const active: RunState = { open: false, owned: false, published: false };
const ofJob: RunState = { ...active, owned: true };

interface Known {
  readonly run?: RunState;
  readonly model?: { readonly deletedTime?: number };
  readonly upload?: UploadState;
  readonly kept?: readonly string[];
}
const references = ({ run, model, upload, kept = [] }: Known): References => ({
  runs: new Map(run ? [[RUN, run]] : []),
  models: new Map(model ? [[MODEL, model]] : []),
  uploads: new Map(upload ? [[UPLOAD, upload]] : []),
  kept: new Set(kept),
});

const cases: readonly (readonly [string, string, Known, Reason | 'kept', number?])[] = [
  ['an active run', `${RUN}/artifacts/x`, { run: active }, 'kept'],
  ['a run deleted long ago', `${RUN}/artifacts/x`, { run: { ...active, deletedTime: daysAgo(8) } }, 'RunDeleted'],
  ['a run deleted within the grace', `${RUN}/artifacts/x`, { run: { ...active, deletedTime: daysAgo(6) } }, 'kept'],
  ['a run deleted at the very edge', `${RUN}/artifacts/x`, { run: { ...active, deletedTime: daysAgo(7) } }, 'kept'],
  [
    'a deleted run that goes on',
    `${RUN}/artifacts/x`,
    { run: { ...active, open: true, deletedTime: daysAgo(8) } },
    'kept',
  ],
  [
    'a deleted run, a file written just now',
    `${RUN}/artifacts/x`,
    { run: { ...active, deletedTime: daysAgo(8) } },
    'kept',
    1,
  ],
  ['no run', `${RUN}/artifacts/x`, {}, 'RunMissing'],
  ['no run, written within the grace', `${RUN}/artifacts/x`, {}, 'kept', 6],
  [
    'no run, but a version of this folder',
    `${RUN}/artifacts/model/m.onnx`,
    { kept: [`${RUN}/artifacts/model`] },
    'kept',
  ],
  ['no run, but a version of this file', `${RUN}/artifacts/m.onnx`, { kept: [`${RUN}/artifacts/m.onnx`] }, 'kept'],
  [
    'a version of a folder named alike',
    `${RUN}/artifacts/model2/x`,
    { kept: [`${RUN}/artifacts/model`] },
    'RunMissing',
  ],
  ['a version of the whole experiment', `${RUN}/artifacts/x`, { kept: ['1'] }, 'kept'],
  ['a version of the whole namespace', `${RUN}/artifacts/x`, { kept: [''] }, 'kept'],
  ['an active logged model', `${MODEL}/artifacts/MLmodel`, { model: {} }, 'kept'],
  ['a logged model deleted long ago', `${MODEL}/artifacts/x`, { model: { deletedTime: daysAgo(8) } }, 'ModelDeleted'],
  ['a logged model deleted of late', `${MODEL}/artifacts/x`, { model: { deletedTime: daysAgo(1) } }, 'kept'],
  ['no logged model', `${MODEL}/artifacts/x`, {}, 'ModelMissing'],
  [
    'a deleted logged model with a version',
    `${MODEL}/artifacts/x`,
    { model: { deletedTime: daysAgo(8) }, kept: [`${MODEL}/artifacts`] },
    'kept',
  ],
  ['the newest data', `${UPLOAD}/a.csv`, { upload: { inLineage: false } }, 'kept'],
  ['older data', `${UPLOAD}/a.csv`, { upload: { inLineage: false, supersededTime: daysAgo(8) } }, 'DataSuperseded'],
  ['data superseded of late', `${UPLOAD}/a.csv`, { upload: { inLineage: false, supersededTime: daysAgo(1) } }, 'kept'],
  [
    'older data that trained a version',
    `${UPLOAD}/a.csv`,
    { upload: { inLineage: true, supersededTime: daysAgo(8) } },
    'kept',
  ],
  ['what a version was converted to', `${DERIVED}/model.onnx`, { kept: [DERIVED] }, 'kept'],
  ['a derived model that no version names', `${DERIVED}/model.onnx`, {}, 'DerivedUnused'],
  ['a derived model that is being stored', `${DERIVED}/model.onnx`, {}, 'kept', 0],
  ['something else beside derived models', 'derived/iris/notes.txt', {}, 'kept'],
  ['an upload without a row', `${UPLOAD}/a.csv`, {}, 'DataMissing'],
  ['an upload without a row yet', `${UPLOAD}/a.csv`, {}, 'kept', 0],
  ['an attempt of a run that goes on', `${ATTEMPT}/model/m.onnx`, { run: { ...ofJob, open: true } }, 'kept'],
  ['an attempt of a run that failed', `${ATTEMPT}/model/m.onnx`, { run: ofJob }, 'AttemptAbandoned'],
  [
    'an attempt like the published one',
    `${ATTEMPT}/x`,
    { run: { ...ofJob, published: true, publishedPath: `${RUN}/artifacts/ffffffffffff/model` } },
    'AttemptAbandoned',
  ],
  [
    'the published attempt',
    `${ATTEMPT}/model/m.onnx`,
    { run: { ...ofJob, published: true, publishedPath: `${ATTEMPT}/model` } },
    'kept',
  ],
  [
    'what was published beside the model',
    `${ATTEMPT}/artifacts/plot.png`,
    { run: { ...ofJob, published: true, publishedPath: `${ATTEMPT}/model` } },
    'kept',
  ],
  [
    'what lies beside a model that a version names',
    `${ATTEMPT}/manifest.json`,
    { run: ofJob, kept: [`${ATTEMPT}/model`] },
    'kept',
  ],
  [
    'an attempt of a run that published no model',
    `${ATTEMPT}/artifacts/x`,
    { run: { ...ofJob, published: true } },
    'kept',
  ],
  ['what a script logged into the run of a job', `${RUN}/artifacts/plot.png`, { run: ofJob }, 'kept'],
  ['a folder named like an attempt in a run of nobody', `${ATTEMPT}/x`, { run: active }, 'kept'],
  ['predictions', 'predictions/iris/2026-01-01.jsonl', {}, 'kept'],
  ['what people put beside', 'models/bert/model.onnx', {}, 'kept'],
  ['traces', '1/traces/tr-1/artifacts/x', {}, 'kept'],
  ['the folder of a run itself', RUN, {}, 'kept'],
];

for (const [what, path, known, expected, days = 30] of cases) {
  test(`${what}: ${expected}`, () => {
    const object = { path, size: 1, lastModified: daysAgo(days) };
    const [candidate] = decide([object], references(known), NOW, GRACE);
    assert.equal(candidate?.reason ?? 'kept', expected);
  });
}

test('a time nobody knows keeps', () => {
  const object = { path: `${RUN}/artifacts/x`, size: 1, lastModified: Number.NaN };
  assert.deepEqual(decide([object], references({}), NOW, GRACE), []);
});
