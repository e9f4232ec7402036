/** Letting requests in: who asks, may they, and does the namespace exist. */
import { openStores } from '@slipway/database';
import type { Admit } from '../http/exchange.ts';

/** Development: everybody may, and every namespace exists as soon as somebody speaks for it. */
export function admitAll(pool: Parameters<typeof openStores>[0]): Admit {
  const { tenants } = openStores(pool, { epoch: () => undefined });
  const claimed = new Set<string>();
  return async ({ namespace }) => {
    if (!claimed.has(namespace)) {
      await tenants.claim(namespace, 'local');
      claimed.add(namespace);
    }
    return { name: 'anonymous' };
  };
}
