/** Two real processes and one Lease: who writes, and how soon the other does. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isNotFound } from '../../operator/src/kube/errors.ts';
import { loadKubeConfig } from '../../operator/src/kube/kubeconfig.ts';
import { openTransport, type Transport } from '../../operator/src/kube/transport.ts';
import { eventually } from '../support/eventually.ts';
import { type ConfigMap, testNamespace } from './config-map.ts';

const script = fileURLToPath(new URL('./leader-process.ts', import.meta.url));

interface Candidate {
  readonly child: ChildProcess;
  readonly said: string[];
}

let direct: Transport;
let namespace: string;
let cleanUp: () => Promise<unknown>;
const children: ChildProcess[] = [];
let lease = 0;

function candidate(identity: string): Candidate {
  const args = [script, namespace, `lease-${lease}`, identity];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const said: string[] = [];
  child.stdout.on('data', (chunk) => said.push(...String(chunk).trim().split('\n')));
  return { child, said };
}

const says = ({ said }: Candidate, what: string, timeoutMs: number) =>
  eventually(() => assert.ok(said.includes(what), `it said: ${said.join(', ')}`), timeoutMs, 20);

async function written(): Promise<ConfigMap | undefined> {
  try {
    const path = `/api/v1/namespaces/${namespace}/configmaps/written`;
    return (await direct.json({ method: 'GET', path })) as ConfigMap;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Who made each of the writes from now on, in order: a watch leaves none out. */
async function watchAuthors(authors: (string | undefined)[], signal: AbortSignal): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const resourceVersion = (await written())?.metadata.resourceVersion;
  const query = { watch: 'true', fieldSelector: 'metadata.name=written', resourceVersion };
  try {
    for await (const line of direct.lines({ method: 'GET', path, query, signal, idleMs: 30_000 })) {
      authors.push((JSON.parse(line) as { object: ConfigMap }).object.data?.['by']);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Which leader of the Lease wrote last: the epoch's last six digits, after the time the Lease was made. */
const leaderOfThisLease = async () => Number((await written())?.data?.['epoch']) % 1_000_000;

const writes = (identity: string, timeoutMs: number) =>
  eventually(async () => assert.equal((await written())?.data?.['by'], identity), timeoutMs, 20);

/** One that leads and one that waits and has seen the lease. */
async function pair(): Promise<[Candidate, Candidate]> {
  lease += 1;
  const first = candidate(`first-${lease}`);
  await says(first, 'leading', 10_000);
  await writes(`first-${lease}`, 5_000);
  const second = candidate(`second-${lease}`);
  await says(second, `saw first-${lease}`, 10_000);
  return [first, second];
}

describe('the leader', () => {
  before(async () => {
    direct = openTransport(loadKubeConfig(), { userAgent: 'slipway-test-direct' });
    ({ name: namespace, cleanUp } = await testNamespace(direct, 'leader'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  after(async () => {
    await cleanUp();
    direct.close();
  });

  test('SIGTERM: the other one writes within 3 s, and the first never again', async () => {
    const [first] = await pair();
    first.child.kill('SIGTERM');
    await writes(`second-${lease}`, 3_000);
    assert.deepEqual(first.said, ['leading', 'released']);
    assert.equal(await leaderOfThisLease(), 2);
  });

  test('SIGKILL: the other one writes within 20 s', async () => {
    const [first] = await pair();
    first.child.kill('SIGKILL');
    await writes(`second-${lease}`, 20_000);
    assert.equal(await leaderOfThisLease(), 2);
  });

  test('frozen until the other leads, then woken: it writes nothing and ends', async () => {
    const [first, second] = await pair();
    first.child.kill('SIGSTOP');
    await says(second, 'leading', 20_000);
    await writes(`second-${lease}`, 5_000);
    const authors: (string | undefined)[] = [];
    const stop = new AbortController();
    const watching = watchAuthors(authors, stop.signal);
    await eventually(() => assert.ok(authors.length > 0), 5_000, 20);
    const ended = once(first.child, 'exit');
    first.child.kill('SIGCONT');
    const [code] = await ended;
    // A write of the second that is made now comes after anything the first could have sent.
    const count = authors.length;
    await eventually(() => assert.ok(authors.length > count), 5_000, 20);
    stop.abort();
    await watching;
    assert.deepEqual([...new Set(authors)], [`second-${lease}`]);
    assert.equal(code, 1);
    assert.ok(first.said.includes('lost'), `it said: ${first.said.join(', ')}`);
    assert.equal(await leaderOfThisLease(), 2);
  });
});
