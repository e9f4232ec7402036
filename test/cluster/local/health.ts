import { isRunning } from '../daemon.ts';
import { answers, ownEngine } from '../docker.ts';
import { exists } from '../files.ts';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';
import { type Api, connect } from './api.ts';
import { namesResolve } from './name-service.ts';
import { runtimeAnswers } from './runtime.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastHeartbeatTime: string;
}

interface Node {
  readonly status: { readonly conditions?: readonly Condition[] };
}

interface Lease {
  readonly spec: { readonly renewTime: string };
}

const nodePath = `/api/v1/nodes/${addresses.nodeName}`;
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${addresses.nodeName}`;

async function readyCondition(api: Api): Promise<Condition | undefined> {
  const node = await api.get<Node>(nodePath);
  return node?.status.conditions?.find(({ type }) => type === 'Ready');
}

/** Whether the node reports Ready. After a crash the last report still stands for a while; see `reportsSince`. */
export async function nodeIsReady(api: Api): Promise<boolean> {
  return (await readyCondition(api))?.status === 'True';
}

/** Whether the node has sent a status, or renewed its lease, since the given time. */
export async function reportsSince(api: Api, time: number): Promise<boolean> {
  const status = await readyCondition(api);
  // Statuses tell whole seconds.
  if (status && Date.parse(status.lastHeartbeatTime) + 999 >= time) return true;
  const lease = await api.get<Lease>(leasePath);
  return lease !== undefined && Date.parse(lease.spec.renewTime) >= time;
}

/** Whether the API server says that it is ready. */
export async function apiIsReady(api: Api): Promise<boolean> {
  const answer = await api.send('GET', '/readyz').catch(() => undefined);
  return answer?.status === 200;
}

/** What is wrong with the local cluster, as sentences; none when it is healthy. */
export async function ailments(paths: Paths, names: readonly string[]): Promise<string[]> {
  if (!(await exists(paths.pki))) return ['it was never started'];
  const running = await Promise.all(names.map((name) => isRunning(paths, name)));
  const found = names.filter((_, index) => !running[index]).map((name) => `${name} is not running`);
  if (found.length > 0) return found;
  const api = await connect(paths);
  if (!(await apiIsReady(api))) return ['the API server does not answer'];
  // A kubelet renews its lease every 10 seconds.
  const fresh = await reportsSince(api, Date.now() - 40_000);
  if (!fresh || !(await nodeIsReady(api))) found.push('the node is not Ready');
  if (!(await runtimeAnswers(paths))) found.push('the container runtime does not answer');
  if (names.includes('dockerd') && !(await answers(ownEngine(paths)))) found.push('the Docker Engine does not answer');
  if (!(await namesResolve())) found.push('names in the cluster do not resolve');
  return found;
}
