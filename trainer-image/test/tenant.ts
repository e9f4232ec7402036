/** A tenant with both stores, its credentials as they are mounted in a pod, and a trained model waiting to be published. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStorageAccess, type PostgresAccess, type PublishRun, runKeyFor } from '@slipway/contract';
import type { StartRun } from '@slipway/database';
import { connect, migrate, openStores } from '@slipway/database';
import { assumeTenantRole, openObjectStore, publishPolicy } from '@slipway/object-store';
import { startPostgres } from '../../database/testing/postgres.ts';
import { startMinio } from '../../object-store/testing/minio.ts';
import { startTcpProxy } from '../../object-store/testing/tcp-proxy.ts';
import type { Env } from '../src/environment.ts';
import { runFetch } from '../src/fetch/run.ts';
import type { Log } from '../src/log.ts';
import { runTrain } from '../src/train/run.ts';

export const NAMESPACE = 'team-a';
export const OTHER_NAMESPACE = 'team-b';
const silent: Log = () => {};

async function startStores() {
  const [minio, postgres] = await Promise.all([startMinio(), startPostgres()]);
  const [s3, main] = [await minio.freshBucket(), await postgres.freshDatabase()];
  const url = new URL(s3.endpoint);
  const proxies = {
    s3: await startTcpProxy(url.hostname, Number(url.port)),
    postgres: await startTcpProxy(main.host, main.port),
  };
  const pool = connect(main, { applicationName: 'publish-test' });
  await migrate(pool);
  return { minio, postgres, s3, main, proxies, pool, stores: openStores(pool, { epoch: () => undefined }) };
}

async function tenantCredentials(
  { s3, main, proxies, stores }: Awaited<ReturnType<typeof startStores>>,
  namespace: string,
): Promise<{ s3: ObjectStorageAccess; postgres: PostgresAccess }> {
  const password = randomBytes(12).toString('hex');
  await stores.tenants.claim(namespace, `uid-${namespace}`);
  const { username } = await stores.tenants.ensureRole(namespace, password);
  const policy = publishPolicy(s3.bucket, namespace);
  const { expiration: _, ...limited } = await assumeTenantRole(s3, { policy, durationSeconds: 3600 });
  return {
    s3: { ...limited, endpoint: `http://${proxies.s3.host}:${proxies.s3.port}` },
    postgres: { ...main, host: proxies.postgres.host, port: proxies.postgres.port, username, password },
  };
}

/** Everything `publish` meets in a pod. */
export async function startTenant() {
  const started = await startStores();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-publish-'));
  const dirs = {
    ...{
      INPUT_DIR: join(folder, 'input'),
      OUTPUT_DIR: join(folder, 'output'),
      REFERENCES_DIR: join(folder, 'references'),
    },
    ...{ CREDENTIALS_DIR: folder, ANSWERS_DIR: join(folder, 'answers') },
  };
  const access = await tenantCredentials(started, NAMESPACE);
  await tenantCredentials(started, OTHER_NAMESPACE);
  await writeFile(join(folder, 'object-storage.json'), JSON.stringify(access.s3));
  await writeFile(join(folder, 'postgres.json'), JSON.stringify(access.postgres));
  await mkdir(dirs.INPUT_DIR);
  const parameters = { C: '0.5' };
  const inputs = [{ name: 'train', uri: 'builtin://iris.csv' }];
  await runFetch(silent, {
    ...dirs,
    BUILTIN_DATA_DIR: join(import.meta.dirname, '../data'),
    FETCH_INPUTS: JSON.stringify({ namespace: NAMESPACE, parameters, inputs }),
  });
  await runTrain(silent, {
    ...dirs,
    ALGORITHM: JSON.stringify({ name: 'logistic-regression', target: 'species' }),
  });

  let made = 0;
  const startRun = async (namespace: string, over: Partial<StartRun> = {}): Promise<PublishRun> => {
    const ownerUid = `uid-${++made}`;
    const startTime = new Date();
    const run = await started.stores.runs.start({
      ...{ namespace, experiment: 'iris', trainingJob: 'iris', ownerUid, generation: 1, cause: 'Created' },
      spec: { model: `iris-${made}`, register: { stage: 'Staging', aliases: ['candidate'] } },
      ...{ runKey: runKeyFor(ownerUid, { kind: 'spec', generation: 1 }), specDigest: String(made), isTracked: true },
      ...{ parameters, startTime: startTime.toISOString(), ...over },
    });
    const { runKey, runId, experimentId } = run;
    return {
      ...{ namespace, trainingJob: 'iris', runKey, runId, experimentId, parameters },
      model: `iris-${made}`,
      image: 'trainer:1',
      startTime: startTime.getTime(),
    };
  };

  return {
    ...started,
    dirs,
    /** The administrator's view of the bucket. */
    objects: openObjectStore(started.s3),
    startRun,
    envFor: (run: PublishRun, podUid: string): Env => ({ ...dirs, PUBLISH_RUN: JSON.stringify(run), POD_UID: podUid }),
    async stop() {
      await started.pool.end();
      await Promise.all([started.proxies.s3.stop(), started.proxies.postgres.stop()]);
      await Promise.all([started.minio.stop(), started.postgres.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Tenant = Awaited<ReturnType<typeof startTenant>>;
