import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeSettings } from '@slipway/contract';
import { InferenceService, InferenceServiceSpec } from './api.ts';
import { serveSettingsEnv } from './serve-settings.ts';

const service = (spec: object): InferenceService => ({
  apiVersion: InferenceService.apiVersion,
  kind: InferenceService.kind,
  metadata: { name: 'iris', namespace: 'team-a', uid: 'u', resourceVersion: '1' },
  spec: InferenceServiceSpec.parse({ model: 'iris', ...spec }),
});

describe('the settings of a model server', () => {
  test('a spec that leaves everything at its default says nothing, so that its pods stay as they are', () => {
    assert.deepEqual(serveSettingsEnv(service({})), {});
    assert.deepEqual(serveSettingsEnv(service({ engine: 'auto' })), {});
  });

  test('an engine that is asked for reaches the server', () => {
    const { SERVE_SETTINGS: text = '' } = serveSettingsEnv(service({ engine: 'onnxruntime' }));
    assert.equal(ServeSettings.parse(JSON.parse(text)).engine, 'onnxruntime');
  });
});
