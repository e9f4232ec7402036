/** Letting requests in: is it a page of another site, who asks, may they, and does the namespace exist. */
import { type Database, openStores } from '@slipway/database';
import { credentialsOf } from '../auth/credentials.ts';
import { type Gate, openToAll } from '../auth/gate.ts';
import { checkOrigin, type OriginRules } from '../auth/origin.ts';
import type { Admit } from '../http/exchange.ts';
import { anyTenants, checkName, type Tenants } from './tenants.ts';

export interface AdmitOptions {
  readonly gate: Gate;
  readonly tenants: Tenants;
  readonly origins: OriginRules;
}

/** Nothing about a namespace is said, not even that it exists, to who may not read it. */
export const admitThrough =
  ({ gate, tenants, origins }: AdmitOptions): Admit =>
  async ({ request, namespace }, access) => {
    checkOrigin(request.headers, access, origins);
    checkName(namespace);
    const caller = await gate(credentialsOf(request.headers.authorization), namespace, access);
    await tenants.ensure(namespace);
    return caller;
  };

/** Development: everybody may, and every namespace exists as soon as somebody speaks for it. */
export const admitAll = (pool: Database): Admit =>
  admitThrough({
    gate: openToAll,
    tenants: anyTenants(openStores(pool, { epoch: () => undefined }).tenants),
    origins: { allowedOrigins: [], loopbackOnly: false },
  });
