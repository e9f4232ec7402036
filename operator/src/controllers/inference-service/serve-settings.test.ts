import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeSettings } from '@slipway/contract';
import { InferenceService, InferenceServiceSpec, MOST_ACCOUNT_CHARACTERS } from './api.ts';
import { serveSettingsEnv } from './serve-settings.ts';
import { MOST_NAME_CHARACTERS } from './spec/prediction-log.ts';

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

  test('the largest settings the schema allows fit the variable they travel in', () => {
    const texts = (count: number, characters: number, letter: string) =>
      Array.from({ length: count }, () => letter.repeat(Math.floor(characters / count)));
    // A control character takes six bytes in JSON, an account none but letters.
    const features = texts(128, MOST_NAME_CHARACTERS, '\u0001');
    const { SERVE_SETTINGS: text = '' } = serveSettingsEnv(
      service({
        predictionLog: { redact: features, hash: features, sample: '0.123456789', store: { retention: '1234d' } },
        auth: {
          apiKeys: { secretName: 'keys' },
          tokens: { audience: 'x'.repeat(256), serviceAccounts: texts(256, MOST_ACCOUNT_CHARACTERS, 'a') },
        },
        cors: { origins: Array.from({ length: 32 }, () => 'x'.repeat(256)) },
        tls: { secretName: 'tls' },
      }),
    );
    assert.ok(text.length > 64 * 1024);
    // With name, equals sign and the zero at its end it may take 32 pages.
    assert.ok(Buffer.byteLength(`SERVE_SETTINGS=${text}`) < 128 * 1024, `${Buffer.byteLength(text)} bytes`);
  });

  test('an engine that is asked for reaches the server', () => {
    const { SERVE_SETTINGS: text = '' } = serveSettingsEnv(service({ engine: 'onnxruntime' }));
    assert.equal(ServeSettings.parse(JSON.parse(text)).engine, 'onnxruntime');
  });
});
