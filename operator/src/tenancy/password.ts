import { createHmac } from 'node:crypto';

/**
 * The password of a tenant's database role: HMAC-SHA256 of namespace and uid under the installation's key, in hex. It
 * need not be stored, and a namespace made again under the same name has another one.
 */
export const tenantPassword = (installKey: string, namespace: string, uid: string): string =>
  createHmac('sha256', installKey).update(`${namespace}/${uid}`).digest('hex');
