/**
 * One candidate, run as a child process: while it leads it writes its epoch into a ConfigMap as fast as the API server
 * answers, and says on standard output what becomes of it. Usage: node leader-process.ts <namespace> <lease> <identity>
 */
import { setImmediate as turn } from 'node:timers/promises';
import { openCluster } from '../../operator/src/kube/cluster.ts';
import { loadKubeConfig } from '../../operator/src/kube/kubeconfig.ts';
import { leaseClient } from '../../operator/src/kube/lease.ts';
import { openTransport } from '../../operator/src/kube/transport.ts';
import { leaseElection } from '../../operator/src/runtime/election.ts';
import { ConfigMap, configMap } from './config-map.ts';

const [namespace = '', lease = '', identity = ''] = process.argv.slice(2);
const say = (what: string) => console.log(what);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const now = () => new Date();

const transport = openTransport(loadKubeConfig(), { userAgent: identity });
const client = leaseClient(transport, { namespace, name: lease, now });
const election = leaseElection({
  client: {
    ...client,
    async read() {
      const record = await client.read();
      if (record && record.holder !== identity) say(`saw ${record.holder}`);
      return record;
    },
  },
  identity,
  log,
});
const cluster = openCluster({
  transport,
  kinds: [ConfigMap],
  namespaces: [namespace],
  onChange: () => {},
  assertLeading: election.assertLeading,
  instance: identity,
  log,
  now,
});

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
void election.lost.then(() => {
  say('lost');
  process.exit(1);
});

if (await election.acquire(stop.signal)) {
  say('leading');
  for (let n = 0; !stop.signal.aborted; n += 1) {
    const object = configMap(namespace, 'written', { by: identity, epoch: String(election.epoch()), n: String(n) });
    await cluster.kube.apply(object).catch(async (error: Error) => {
      say(`refused ${error.name}`);
      // A refusal costs no IO: without a turn of the event loop the news that the lease is lost would never arrive.
      await turn();
    });
  }
  await election.release();
  say('released');
}
process.exit(0);
