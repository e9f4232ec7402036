import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, configFromEnv } from './config.ts';

const complete = {
  POD_NAME: 'slipway-operator-0',
  POD_NAMESPACE: 'slipway-system',
  TRAINER_IMAGE: 'slipway/trainer:dev',
  SERVING_IMAGE: 'slipway/serving:dev',
  OPERATOR_URL: 'http://slipway-operator.slipway-system.svc:8080',
  INSTALL_KEY: 'k'.repeat(32),
  POSTGRES_HOST: 'slipway-postgres',
  POSTGRES_DATABASE: 'slipway',
  POSTGRES_USERNAME: 'slipway',
  POSTGRES_PASSWORD: 'hunter2-secret',
  OBJECT_STORAGE_ENDPOINT: 'http://slipway-minio:9000',
  OBJECT_STORAGE_BUCKET: 'slipway',
  OBJECT_STORAGE_ACCESS_KEY: 'access',
  OBJECT_STORAGE_SECRET_KEY: 'secret',
};

test('what the chart sets is enough; the rest has defaults, and empty counts as absent', () => {
  const config = configFromEnv({ ...complete, WATCH_NAMESPACES: '', IMAGE_PULL_SECRETS: '', PORT: '' });
  assert.deepEqual(
    [config.port, config.leaderElection, config.leaseName, config.watchNamespaces, config.resyncMs],
    [8080, true, 'slipway-operator', [], 600_000],
  );
  assert.deepEqual(config.pods.imagePullSecrets, []);
});

test('lists are split at commas, and spaces do not matter', () => {
  const config = configFromEnv({ ...complete, WATCH_NAMESPACES: 'team-a, team-b', IMAGE_PULL_SECRETS: 'one,two' });
  assert.deepEqual(config.watchNamespaces, ['team-a', 'team-b']);
  assert.deepEqual(config.pods.imagePullSecrets, ['one', 'two']);
});

test('every wrong variable is named at once, and no value is repeated', () => {
  const wrong = {
    ...complete,
    PORT: 'http',
    LEADER_ELECTION: 'perhaps',
    WATCH_NAMESPACES: 'Team_A',
    INSTALL_KEY: 'short-secret',
    POSTGRES_HOST: undefined,
    OBJECT_STORAGE_ENDPOINT: 'ftp://minio',
  };
  assert.throws(
    () => configFromEnv(wrong),
    (error: ConfigError) => {
      assert.ok(error instanceof ConfigError);
      for (const name of [
        'PORT',
        'LEADER_ELECTION',
        'WATCH_NAMESPACES',
        'INSTALL_KEY',
        'POSTGRES_HOST',
        'OBJECT_STORAGE_ENDPOINT',
      ]) {
        assert.match(error.message, new RegExp(`^  ${name}: `, 'm'));
      }
      assert.match(error.message, /POSTGRES_HOST: is not set/);
      assert.doesNotMatch(error.message, /short-secret|hunter2|Team_A|perhaps/);
      return true;
    },
  );
});

test('where pods reach the registry and the key of their tokens are optional, and judged when they are there', () => {
  const { registryUrl, runTokenKey } = configFromEnv(complete).pods;
  assert.deepEqual([registryUrl, runTokenKey], [undefined, undefined]);
  const given = { REGISTRY_URL: 'http://slipway-registry.slipway-system:5000', RUN_TOKEN_KEY: 't'.repeat(32) };
  assert.deepEqual(configFromEnv({ ...complete, ...given }).pods.registryUrl, given.REGISTRY_URL);
  const wrong = { ...complete, REGISTRY_URL: 'slipway-registry', RUN_TOKEN_KEY: 'short-secret' };
  assert.throws(
    () => configFromEnv(wrong),
    (error: Error) => {
      assert.match(error.message, /REGISTRY_URL/);
      assert.match(error.message, /RUN_TOKEN_KEY: expected 32 characters or more/);
      assert.ok(!error.message.includes('short-secret'));
      return true;
    },
  );
});

test('web addresses inputs may come from are hosts and ranges; anything else is refused', () => {
  const given = { HTTPS_INPUT_HOSTS: 'data.example, mirror:8443', HTTPS_INPUT_CIDRS: '10.1.0.0/16,fd12::/16' };
  const { httpsInputHosts, httpsInputCidrs } = configFromEnv({ ...complete, ...given }).pods;
  assert.deepEqual(httpsInputHosts, ['data.example', 'mirror:8443']);
  assert.deepEqual(httpsInputCidrs, ['10.1.0.0/16', 'fd12::/16']);
  assert.deepEqual(configFromEnv(complete).pods.httpsInputHosts, []);
  for (const wrong of [{ HTTPS_INPUT_HOSTS: 'https://data.example' }, { HTTPS_INPUT_CIDRS: '10.0.0.1' }]) {
    assert.throws(() => configFromEnv({ ...complete, ...wrong }), new RegExp(`${Object.keys(wrong)[0]}: `));
  }
});

test('without a converter nothing is converted; one that cannot be read is said by name', () => {
  assert.equal(configFromEnv(complete).pods.converter, undefined);
  assert.equal(configFromEnv({ ...complete, CONVERTER: '' }).pods.converter, undefined);
  assert.throws(() => configFromEnv({ ...complete, CONVERTER: '{"image":1}' }), /CONVERTER: /);
  assert.throws(() => configFromEnv({ ...complete, CONVERTER_PEERS: '{' }), /CONVERTER_PEERS: /);
  assert.equal(configFromEnv({ ...complete, OBJECT_STORAGE_ENDPOINT: 'https://s3.example' }).storeAddress.port, 443);
});
