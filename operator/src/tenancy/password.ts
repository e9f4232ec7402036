import { createHmac } from 'node:crypto';

/**
 * The password of a tenant's database role: HMAC-SHA256 of namespace and uid under the installation's key, in hex. It
 * need not be stored, and a namespace made again under the same name has another one.
 */
export const tenantPassword = (installKey: string, namespace: string, uid: string): string =>
  createHmac('sha256', installKey).update(`${namespace}/${uid}`).digest('hex');

/**
 * The key under which a tenant's predictions are digested where their values may not be read: HMAC-SHA256 as above, of
 * another text. It stays the same for as long as the namespace lives, so that equal values stay equal over pods and years.
 */
export const predictionHashKey = (installKey: string, namespace: string, uid: string): string =>
  createHmac('sha256', installKey).update(`predictions of ${namespace}/${uid}`).digest('hex');
