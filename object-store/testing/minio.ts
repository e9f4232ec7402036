/** A real MinIO for tests: a container, or the server that SLIPWAY_TEST_MINIO names (ObjectStorageAccess as JSON, an administrator). */
import { randomBytes } from 'node:crypto';
import { ObjectStorageAccess } from '@slipway/contract';
import { Client } from 'minio';
import { GenericContainer, Wait } from 'testcontainers';

const IMAGE = process.env['SLIPWAY_TEST_MINIO_IMAGE'] ?? 'slipway/dev-minio:20260212';

export interface TestMinio {
  /** The administrator, with a fresh bucket of its own at every call. */
  freshBucket(): Promise<ObjectStorageAccess>;
  stop(): Promise<void>;
}

async function startContainer(): Promise<{ admin: ObjectStorageAccess; stop(): Promise<void> }> {
  const [accessKey, secretKey] = ['tests', randomBytes(12).toString('hex')];
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey })
    .withExposedPorts(9000)
    .withWaitStrategy(Wait.forHttp('/minio/health/ready', 9000))
    .start();
  const endpoint = `http://${container.getHost()}:${container.getMappedPort(9000)}`;
  const admin = ObjectStorageAccess.parse({ endpoint, bucket: 'tests', accessKey, secretKey });
  return { admin, stop: async () => void (await container.stop()) };
}

/** Starts it (a few seconds) or uses the one named by the environment. */
export async function startMinio(): Promise<TestMinio> {
  const named = process.env['SLIPWAY_TEST_MINIO'];
  const server = named
    ? { admin: ObjectStorageAccess.parse(JSON.parse(named)), stop: async () => {} }
    : await startContainer();
  const { hostname, port } = new URL(server.admin.endpoint);
  const { accessKey, secretKey, region } = server.admin;
  const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
  return {
    async freshBucket() {
      const bucket = `slipway-test-${randomBytes(6).toString('hex')}`;
      await client.makeBucket(bucket);
      return { ...server.admin, bucket };
    },
    stop: server.stop,
  };
}
