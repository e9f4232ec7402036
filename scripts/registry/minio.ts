/** A MinIO on loopback, with its data in a folder of ours. */
import { existsSync, mkdirSync } from 'node:fs';
import { Client } from 'minio';
import { ensureBuilt, folderOf } from '../../test/cluster/binaries.ts';
import { pathsFor } from '../../test/cluster/paths.ts';
import { tools } from '../../test/cluster/tools.ts';
import { freePort, type Started, start, whenReady } from './processes.ts';

const BUCKET = 'slipway';

/** The one on the PATH, else the one the cluster uses, built at first. */
async function program(): Promise<string> {
  const folder = (process.env['PATH'] ?? '').split(':').find((one) => existsSync(`${one}/minio`));
  if (folder) return `${folder}/minio`;
  const paths = pathsFor(process.env);
  await ensureBuilt(paths, tools.minio);
  return `${folderOf(paths, tools.minio)}/minio`;
}

/** Starts it, makes the bucket, and returns what the registry is told. */
export async function startMinio(
  data: string,
  log: string,
  { accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string },
  onStarted: (started: Started) => void,
): Promise<Record<string, string>> {
  const command = await program();
  const port = await freePort();
  mkdirSync(data, { recursive: true });
  const env = { ...process.env, MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey, MINIO_BROWSER: 'off' };
  const started = start('MinIO', command, ['server', data, '--address', `127.0.0.1:${port}`], { log, env });
  onStarted(started);
  const endpoint = `http://127.0.0.1:${port}`;
  await whenReady(started, async () => (await fetch(`${endpoint}/minio/health/ready`)).ok);
  const client = new Client({ endPoint: '127.0.0.1', port, useSSL: false, accessKey, secretKey, region: 'us-east-1' });
  if (!(await client.bucketExists(BUCKET))) await client.makeBucket(BUCKET);
  return {
    OBJECT_STORAGE_ENDPOINT: endpoint,
    OBJECT_STORAGE_REGION: 'us-east-1',
    OBJECT_STORAGE_BUCKET: BUCKET,
    OBJECT_STORAGE_ACCESS_KEY: accessKey,
    OBJECT_STORAGE_SECRET_KEY: secretKey,
  };
}
