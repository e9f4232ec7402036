/** Who is let in, as the settings say. */
import { type Database, openAdmission, openStores } from '@slipway/database';
import type { Logger } from 'pino';
import { type Gate, openToAll } from '../auth/gate.ts';
import { kubernetesGate } from '../auth/kubernetes.ts';
import { isLoopback } from '../auth/origin.ts';
import { runTokenGate } from '../auth/run-tokens.ts';
import { secretGate } from '../auth/secret.ts';
import { openUsersFile } from '../auth/users-file.ts';
import { type Config, ConfigError } from '../config.ts';
import type { Admit } from '../http/exchange.ts';
import { admitThrough } from './admit.ts';
import { anyTenants, kubernetesTenants, type Tenants, watchedOnly } from './tenants.ts';

interface Around {
  readonly config: Config;
  readonly pool: Database;
  readonly log: Logger;
}

async function usersGate({ config, log }: Around): Promise<Gate> {
  const path = config.authFile ?? '';
  const onProblem = (error: unknown) => log.error({ err: error }, 'the changed file of users cannot be used');
  const users = await openUsersFile(path, { now: Date.now, onProblem }).catch((error) => {
    throw new ConfigError(`AUTH_FILE: ${error.message}`, { cause: error });
  });
  return secretGate(users);
}

async function clusterGate({ config }: Around): Promise<Gate> {
  const [{ accessReviews }, { clusterConfig }] = await Promise.all([
    import('../auth/access-reviews.ts'),
    import('../auth/cluster.ts'),
  ]);
  return kubernetesGate(accessReviews(clusterConfig()), { ...config, now: Date.now });
}

async function gateFor(around: Around): Promise<Gate> {
  const { config, pool } = around;
  const gates = { none: async () => openToAll, secret: usersGate, kubernetes: clusterGate };
  const gate = await gates[config.auth](around);
  if (config.runTokenKey === undefined) return gate;
  const { isRunOpen } = openAdmission(pool);
  return runTokenGate({ key: config.runTokenKey, isOpen: isRunOpen, now: Date.now }, gate);
}

async function tenantsFor({ config, pool, log }: Around): Promise<Tenants> {
  const { tenants: store } = openStores(pool, { epoch: () => undefined });
  if (config.namespaces === 'any') return anyTenants(store);
  const [{ namespaceReader }, { clusterConfig }] = await Promise.all([
    import('./kubernetes-namespaces.ts'),
    import('../auth/cluster.ts'),
  ]);
  return kubernetesTenants({
    read: namespaceReader(clusterConfig()),
    store,
    ownerOf: openAdmission(pool).ownerOf,
    now: Date.now,
    onUnanswered: (namespace, error) =>
      log.warn({ namespace, err: error }, 'the API server did not answer about a namespace that is known'),
  });
}

/** Throws ConfigError when the file of users cannot be used, and when there is no cluster that could be asked. */
export async function admissionFor(around: Around): Promise<Admit> {
  const { config } = around;
  return admitThrough({
    gate: await gateFor(around),
    tenants: watchedOnly(config.watchNamespaces, await tenantsFor(around)),
    origins: { allowedOrigins: config.allowedOrigins, loopbackOnly: isLoopback(config.listenAddress) },
  });
}
