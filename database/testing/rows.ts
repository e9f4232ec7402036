/** What tests store: plausible requests, changed where a test says so. */
import { type PublishRequest, runKeyFor } from '@slipway/contract';
import type { StartRun } from '../src/index.ts';

/** A run of a TrainingJob `iris`; `ownerUid` and `generation` make its key, unless one is given. */
export const startRun = ({ ownerUid = 'uid-1', generation = 1, ...over }: Partial<StartRun> = {}): StartRun => ({
  namespace: 'team-a',
  experiment: 'iris',
  trainingJob: 'iris',
  ownerUid,
  generation,
  runKey: runKeyFor(ownerUid, { kind: 'spec', generation }),
  specDigest: 'digest-1',
  spec: { model: 'iris' },
  cause: 'Created',
  isTracked: true,
  parameters: { C: '1.0' },
  startTime: '2026-01-01T00:00:00.000Z',
  ...over,
});

const sha256 = 'a'.repeat(64);

/** What `publish` sends for a run that trained `iris`. */
export const publication = (
  run: { namespace: string; runKey: string; runId: string; experimentId: string },
  over: Partial<PublishRequest> = {},
): PublishRequest => ({
  runKey: run.runKey,
  endTime: Date.parse('2026-01-01T00:01:00.000Z'),
  metrics: [
    { key: 'accuracy', value: 0.9, step: 0, timestamp: 1 },
    { key: 'accuracy', value: 0.95, step: 1, timestamp: 2 },
  ],
  params: { C: '1.0' },
  model: {
    model: 'iris',
    format: 'onnx',
    artifact: {
      uri: `s3://slipway/${run.namespace}/${run.experimentId}/${run.runId}/artifacts/abcdef012345/model`,
      files: [{ path: 'model.onnx', sha256, size: 10 }],
      digest: sha256,
    },
    lineage: { trainingJob: 'iris', runKey: run.runKey },
  },
  ...over,
});
