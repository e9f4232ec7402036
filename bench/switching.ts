/**
 * What switching costs the clients of a service, on the cluster in use: 20 switches between two versions by kubectl patch,
 * under kept-alive, fresh and slow clients from inside the cluster, for at least 100,000 requests.
 */
import { waitForVersion } from '../test/support/conditions.ts';
import { apply, dropNamespace, makeNamespace, patch, uniqueNamespace } from '../test/support/kubectl.ts';
import { bringProven, line } from '../test/support/line-models.ts';
import { service } from '../test/support/manifests.ts';
import { answersOf, switchLoad } from '../test/support/switch-load.ts';

const SWITCHES = Number(process.argv[2] ?? 20);
const REQUESTS = Number(process.argv[3] ?? 100_000);

const namespace = uniqueNamespace('bench-switching');
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

makeNamespace(namespace);
try {
  await bringProven(namespace, 'one', line(1));
  await bringProven(namespace, 'two', line(2));
  apply(namespace, service('line', { model: 'line', version: 1, replicas: 2 }));
  await waitForVersion(namespace, 'line', 1);
  const load = await switchLoad(namespace, 'line', {
    answers: answersOf(1, 2),
    clients: { kept: 12, fresh: 3, slow: 4 },
    pauseMs: 4,
    maxSeconds: 1200,
  });
  const took: number[] = [];
  for (let i = 1; i <= SWITCHES; i++) {
    const version = 1 + (i % 2);
    const from = Date.now();
    patch(namespace, 'infsvc/line', { spec: { version: String(version) } });
    await waitForVersion(namespace, 'line', version);
    took.push(Date.now() - from);
    load.switched(from, Date.now());
    const { requests, failures } = load.progress();
    console.log(
      `switch ${i} to version ${version}: ${(took.at(-1) ?? 0) / 1000} s; ${requests} requests, ${failures} failed`,
    );
    // The same share of the requests between all switches, so that none comes after the load.
    await load.warm(Math.max(100, (REQUESTS * i) / SWITCHES - requests), 300_000);
  }
  const { requests, failures, reasons, examples, versions, clients, quiet, switching } = await load.finish();
  console.log(`${failures} failed of ${requests} requests over ${SWITCHES} switches ${JSON.stringify(reasons)}`);
  for (const example of examples) console.log(`  ${example}`);
  console.log(`answers by version ${JSON.stringify(versions)}; requests by client ${JSON.stringify(clients)}`);
  console.log(`patch to all replicas: median ${median(took) / 1000} s, longest ${Math.max(...took) / 1000} s`);
  for (const [name, { requests: count, p50, p95, p99, max }] of Object.entries({ quiet, switching }))
    console.log(
      `${name}: ${count} kept-alive requests, p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${max} ms`,
    );
  if (failures > 0) process.exitCode = 1;
} finally {
  dropNamespace(namespace);
}
