/** The bundled object store, with the administrator's credentials: what an attacker or an accident could do to it. */

import { parseS3Uri } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import { RELEASE_NAMESPACE } from './install.ts';
import { withPortForward } from './port-forward.ts';
import { secret } from './secret.ts';

/** Opens the bundled store through a port-forward for as long as `use` runs. */
export function withObjectStore<T>(use: (store: ReturnType<typeof openObjectStore>) => Promise<T>): Promise<T> {
  const { accessKey = '', secretKey = '' } = secret(RELEASE_NAMESPACE, 'slipway-object-storage');
  return withPortForward(RELEASE_NAMESPACE, 'svc/slipway-minio', 9000, (endpoint) =>
    use(openObjectStore({ endpoint, region: 'us-east-1', bucket: 'slipway', accessKey, secretKey })),
  );
}

/** Replaces an object's bytes behind everybody's back. */
export async function overwriteObject(uri: string, bytes: Buffer): Promise<void> {
  const location = parseS3Uri(uri);
  if (!location) throw new Error(`not an s3 uri: ${uri}`);
  await withObjectStore((store) => store.put(location.key, bytes, bytes.length));
}
