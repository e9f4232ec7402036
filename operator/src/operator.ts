/** Puts the operator together from its configuration: what talks to what is decided here and nowhere else. */
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type Database, openStores, type Stores } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import type { ObjectKey } from './api/meta.ts';
import type { Config } from './config.ts';
import { createCallers } from './control/callers.ts';
import { type ControlDeps, createControl } from './control/control.ts';
import { controlHandler, type HandlerOptions } from './control/handler.ts';
import { createVersionControl } from './control/versions.ts';
import { createControllers } from './controllers/index.ts';
import { ModelVersion } from './controllers/model-version/api.ts';
import { TrainingJob } from './controllers/training-job/api.ts';
import { createMonitor, type MonitorOptions, processTimers } from './dependencies/monitor.ts';
import { startServer } from './http/server.ts';
import { callerAccess } from './kube/callers.ts';
import { type Cluster, type ClusterOptions, openCluster } from './kube/cluster.ts';
import { convertPolicyAccess } from './kube/convert-policy.ts';
import { DEFAULT_TIMING } from './kube/informer.ts';
import { loadKubeConfig } from './kube/kubeconfig.ts';
import { leaseClient } from './kube/lease.ts';
import { keyOf } from './kube/object-cache.ts';
import { tenantAccess } from './kube/tenant.ts';
import { tokenKeysAccess } from './kube/token-keys.ts';
import { openTransport, type Transport } from './kube/transport.ts';
import { versionAccess } from './kube/version-access.ts';
import { probesOf } from './probes.ts';
import { createConvertible } from './projection/convertible.ts';
import { createProjection } from './projection/projection.ts';
import { createRequestPoll } from './projection/request-poll.ts';
import { type Election, leaseElection, noElection } from './runtime/election.ts';
import { watchEmptyNamespaces } from './runtime/empty-namespaces.ts';
import { createManager, type Ending } from './runtime/manager.ts';
import { createMetrics } from './runtime/metrics.ts';
import type { Logger } from './runtime/reconcile.ts';
import { schemaGate } from './schema-gate.ts';
import { assumeWith } from './tenancy/assume.ts';
import type { TenantKube } from './tenancy/ports.ts';
import { createTenants } from './tenancy/tenants.ts';

const now = () => new Date();

/** Everything that is opened before anything runs. */
interface Foundation {
  readonly config: Config;
  readonly log: Logger;
  readonly transport: Transport;
  readonly election: Election;
  readonly pool: Database;
  readonly stores: Stores;
}

/** Works until `signal` fires or leadership is lost. Throws only for what makes a start impossible. */
export async function runOperator(config: Config, log: Logger, signal: AbortSignal): Promise<Ending> {
  const foundation = lay(config, log);
  const { transport, election, pool, stores } = foundation;
  const monitor = createMonitor({
    ...storeProbes(foundation),
    onProbe: (dependency, up) => metrics.dependency(dependency, up),
    onChange(dependency, health) {
      log.warn({ dependency, health }, 'a store went or came back');
      manager.requeueAll();
    },
  });
  const namespaces = tenantAccess(transport, election.assertLeading);
  const tenants = openTenants(foundation, namespaces);
  const look = (key: ObjectKey) => manager.queues.get(ModelVersion.kind)?.add(keyOf(key));
  const convertible = createConvertible({ labelsOf: namespaces.labelsOf, look, now: Date.now });
  const convertPolicy = convertPolicyAccess(transport, {
    assertLeading: election.assertLeading,
    now: Date.now,
    store: config.storeAddress,
  });
  const definitions = createControllers({
    runs: stores.runs,
    versions: stores.versions,
    uses: stores.uses,
    requests: stores.requests,
    counters: {
      runEnded: (cause, outcome) => metrics.runEnded(cause, outcome),
      slaMissed: () => metrics.slaMissed(),
    },
    dataSets: stores.dataSets,
    tenants,
    tokenKeys: tokenKeysAccess(transport, election.assertLeading, Date.now),
    namespaces,
    conversions: { mayConvert: convertible.mayConvert, ensurePolicy: convertPolicy.ensure },
    health: monitor.status,
    settings: { ...config.pods, bucket: config.objectStorage.bucket },
  });
  const projection = createProjection({
    feed: stores.mirror,
    versions: stores.versions,
    uses: stores.uses,
    runs: stores.runs,
    namespaces,
    watched: config.watchNamespaces,
    look,
    log,
  });
  const requestPoll = createRequestPoll({
    requests: stores.requests,
    watched: config.watchNamespaces,
    look: (key) => manager.queues.get(TrainingJob.kind)?.add(keyOf(key)),
  });
  const gate = schemaGate(pool, log);

  let cluster: Cluster | undefined;
  const emptied = watchEmptyNamespaces({
    kinds: definitions.map((definition) => definition.for),
    kube: () => (cluster as Cluster).kube,
    mayDecide: () => election.leading() && manager.missing().length === 0,
    onEmpty: (namespace) =>
      tenants
        .release(namespace)
        .catch((error) => log.warn({ error, namespace }, "an empty namespace's Secrets were not removed")),
    signal,
  });
  const manager = createManager({
    definitions,
    openCluster(kinds, tellManager) {
      const onChange: ClusterOptions['onChange'] = (kind, change) => {
        tellManager(kind, change);
        emptied(kind, change);
        if (election.leading()) projection.onChange(kind, change);
      };
      cluster = openCluster({
        ...{ transport, kinds, onChange, log, now },
        namespaces: config.watchNamespaces,
        assertLeading: election.assertLeading,
        instance: config.podName,
        timing: { ...DEFAULT_TIMING, resyncMs: config.resyncMs },
      });
      return cluster;
    },
    election,
    maxConcurrent: config.maxConcurrentReconciles,
    onReconciled: (kind, outcome, seconds) => metrics.reconciled(kind, outcome, seconds),
    beforeLeading: gate.pass,
    alongside: async (ctx) => void (await Promise.all([projection.run(ctx), requestPoll(ctx), convertible.run(ctx)])),
    log,
    now,
  });

  const informers = () => cluster?.informers() ?? [];
  const metrics = createMetrics(
    { queues: () => manager.queues, informers, sizes: () => cluster?.sizes() ?? [], leading: election.leading },
    { process: true },
  );
  const probes = probesOf({
    informers,
    unlisted: manager.missing,
    schema: gate.closedBecause,
    stopping: () => signal.aborted,
  });
  const control = openControl(foundation, {
    kube: () => (cluster as Cluster).kube,
    enqueue: (trainingJob) => manager.queues.get(TrainingJob.kind)?.add(keyOf(trainingJob)),
    missing: probes.missing,
    stopping: signal,
    onAnswer: metrics.controlAnswered,
  });
  const answers = {
    ...probes,
    details: () => ({ leading: election.leading(), dependencies: monitor.status(), informers: informers() }),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
  };
  const server = await startServer(config.port, answers, control);
  try {
    void monitor.start();
    return await manager.run(signal);
  } finally {
    monitor.stop();
    await closed(server);
    transport.close();
    await Promise.race([pool.end(), delay(1_000)]);
  }
}

function lay(config: Config, log: Logger): Foundation {
  const transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-operator' });
  const election = electionFor(config, transport, log);
  const pool = connect(config.postgres, {
    applicationName: 'slipway-operator',
    // One of them listens.
    max: 8,
    onIdleError: (error) => log.warn({ error }, 'an idle connection to Postgres broke'),
  });
  return { config, log, transport, election, pool, stores: openStores(pool, { epoch: election.epoch }) };
}

function electionFor(config: Config, transport: Transport, log: Logger): Election {
  if (!config.leaderElection) return noElection();
  const client = leaseClient(transport, { namespace: config.podNamespace, name: config.leaseName, now });
  return leaseElection({ client, identity: config.podName, log });
}

function storeProbes({ config, pool }: Foundation): Pick<MonitorOptions, 'probes' | 'now' | 'schedule'> {
  const objectStore = openObjectStore(config.objectStorage, { timeoutMs: 4_000 });
  const probes = { postgres: () => pool.query('SELECT 1'), objectStorage: () => objectStore.check() };
  return { probes, now, schedule: processTimers };
}

function openTenants({ config, log, stores }: Foundation, kube: TenantKube) {
  return createTenants({
    kube,
    store: stores.tenants,
    objectStorage: config.objectStorage,
    postgres: config.postgres,
    assume: assumeWith(config.objectStorage, config.tenancy.stsDurationSeconds),
    settings: config.tenancy,
    now,
    log,
  });
}

type ControlParts = Pick<ControlDeps, 'kube' | 'enqueue'> & Pick<HandlerOptions, 'missing' | 'stopping' | 'onAnswer'>;

function openControl({ transport, stores, log }: Foundation, { kube, enqueue, ...rest }: ControlParts) {
  const control = createControl({ runs: stores.runs, requests: stores.requests, kube, enqueue });
  const versions = createVersionControl({ kube, access: versionAccess(transport), log });
  const callerOf = createCallers({ ...callerAccess(transport), kube, now });
  return controlHandler({ control, versions, callerOf, log, ...rest });
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
