import { mkdir, readFile, rm } from 'node:fs/promises';
import { baseImagesFor, ensureBaseImages } from '../base-images.ts';
import { ensureBuilt, folderOf } from '../binaries.ts';
import { currentBoot, ensureRunning, isRunning, recordedNames } from '../daemon.ts';
import { type Engine, machineEngine } from '../docker.ts';
import { eventually } from '../exec.ts';
import { exists, readIfThere, writeWhole } from '../files.ts';
import { ensurePackages } from '../packages.ts';
import { type Paths, pathsFor } from '../paths.ts';
import { say, step } from '../progress.ts';
import { localTools, tools } from '../tools.ts';
import { type Api, connect } from './api.ts';
import { ensureCertificates } from './certificates.ts';
import { type Components, componentFiles, components } from './components.ts';
import { clearState, stopEverything } from './down.ts';
import { NotReady, ProcessFailed } from './errors.ts';
import { ailments, apiIsReady, nodeIsReady, reportsSince } from './health.ts';
import { loadIntoLocal } from './images.ts';
import { writeKubeconfigs } from './kubeconfig.ts';
import { removeFolder } from './leftovers.ts';
import { nameService, namesResolve } from './name-service.ts';
import { bridgeIsFiltered } from './network.ts';
import { killForgotten, killOrphans } from './orphans.ts';
import { ensureDocker, ensureRuntime } from './runtime.ts';
import { storageClass } from './storage.ts';

/** What a finished `up` leaves: the digest of what it was made from, and the processes that must run. */
export interface Stamp {
  readonly inputs: string;
  readonly processes: readonly string[];
}

const daemonsOfKubernetes = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'volume-provisioner',
];

/** The stamp of the last `up` that succeeded. */
export async function readStamp(paths: Paths): Promise<Stamp | undefined> {
  const text = await readIfThere(paths.stamp);
  return text === undefined ? undefined : (JSON.parse(text) as Stamp);
}

/**
 * Sockets and mounts below /run belong to one cache's cluster. What another cache's cluster left there goes; if that
 * cluster still runs, this one must not touch it.
 */
async function takeRunFolder(paths: Paths): Promise<void> {
  const file = `${paths.run}/cache`;
  const owner = (await readIfThere(file)) ?? paths.cache;
  if (owner !== paths.cache) {
    const other = pathsFor({ SLIPWAY_CACHE: owner });
    const running = await Promise.all((await recordedNames(other)).map((name) => isRunning(other, name)));
    if (running.includes(true)) throw new Error(`the cluster of the cache ${owner} is running; take it down first`);
    await killOrphans(paths);
    await removeFolder(paths.run);
  }
  await writeWhole(file, paths.cache);
}

/** After a restart of the machine nothing that runs below /run is true any more, and on some it is still there. */
async function forgetEarlierBoot(paths: Paths): Promise<void> {
  const boot = await currentBoot();
  const file = `${paths.state}/boot`;
  const last = await readIfThere(file);
  if (last !== undefined && last !== boot) {
    say('the machine was restarted since the cluster was last up');
    await removeFolder(paths.run);
  }
  await writeWhole(file, boot);
}

async function prepareComponents(paths: Paths): Promise<Components> {
  await ensureCertificates(paths);
  await writeKubeconfigs(paths);
  const files = componentFiles(paths, await bridgeIsFiltered());
  for (const [name, text] of Object.entries(files)) await writeWhole(`${paths.config}/${name}`, text);
  const provisionerSources = await Promise.all(
    ['provisioner.ts', 'storage.ts', 'api.ts'].map((file) => readFile(new URL(file, import.meta.url), 'utf8')),
  );
  const kubernetes = folderOf(paths, tools.kubernetes);
  const binary = (name: string): string =>
    name === 'etcd' ? `${folderOf(paths, tools.etcd)}/etcd` : `${kubernetes}/${name}`;
  return components(paths, binary, { ...files, provisioner: provisionerSources.join('') });
}

async function startControlPlane(paths: Paths, { etcd, apiServer }: Components): Promise<Api> {
  await mkdir(paths.etcd, { recursive: true, mode: 0o700 });
  await ensureRunning(paths, etcd);
  await ensureRunning(paths, apiServer);
  const api = await connect(paths);
  const bothRun = async (): Promise<boolean> => {
    const running = await Promise.all([etcd, apiServer].map(({ name }) => isRunning(paths, name)));
    return !running.includes(false);
  };
  await eventually(async () => (await apiIsReady(api)) || !(await bothRun()), 60_000, 200);
  if (!(await isRunning(paths, etcd.name))) throw new ProcessFailed(etcd.name, 'ended');
  if (!(await apiIsReady(api))) throw new ProcessFailed('kube-apiserver', 'does not become ready');
  return api;
}

async function applyObjects(api: Api): Promise<void> {
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${storageClass.metadata.name}`, storageClass);
  for (const [path, object] of Object.entries(nameService)) await api.apply(path, object);
}

async function startNode(paths: Paths, { clients }: Components): Promise<number> {
  await mkdir(paths.volumes, { recursive: true });
  // Rounded down, as leases carry microseconds and a clock may be read in another order than it is written.
  const begun = Date.now() - 1;
  const started = await Promise.all(clients.map((daemon) => ensureRunning(paths, daemon)));
  // A kubelet that was left running has proved nothing since, but it need not do so within its ten seconds.
  return started[0] ? begun : begun - 20_000;
}

async function awaitUsable(api: Api, since: number): Promise<void> {
  const usable = async (): Promise<boolean> =>
    (await reportsSince(api, since).catch(() => false)) && (await nodeIsReady(api)) && (await namesResolve());
  if (await eventually(usable, 90_000, 300)) return;
  const ready = await nodeIsReady(api).catch(() => false);
  throw new NotReady(ready ? 'the node is Ready, but names in the cluster do not resolve' : 'the node is not Ready');
}

async function startCluster(paths: Paths): Promise<void> {
  const prepared = await prepareComponents(paths);
  const api = await step('control plane', () => startControlPlane(paths, prepared));
  const since = await startNode(paths, prepared);
  await applyObjects(api);
  await step('node Ready, names resolve', () => awaitUsable(api, since));
}

/** The engine that builds images: the machine's own, else ours. */
async function chooseEngine(paths: Paths): Promise<Engine> {
  const ours = await isRunning(paths, 'dockerd');
  return (ours ? undefined : await machineEngine(paths)) ?? ensureDocker(paths);
}

const firstImages = ['localhost/pause:1', `slipway/coredns:${tools.coredns.version}`];

async function ownRuntime(paths: Paths): Promise<void> {
  await forgetEarlierBoot(paths);
  await takeRunFolder(paths);
  await killForgotten(paths);
  await ensureRuntime(paths);
}

async function start(paths: Paths): Promise<void> {
  await ownRuntime(paths);
  const engine = await chooseEngine(paths);
  await ensureBaseImages(paths, engine, 'local', firstImages);
  await loadIntoLocal(paths, engine, firstImages);
  await startCluster(paths);
}

async function startOrStartAfresh(paths: Paths): Promise<void> {
  const isNew = !(await exists(paths.pki));
  try {
    await start(paths);
  } catch (error) {
    const worthAnother = error instanceof NotReady || error instanceof ProcessFailed;
    if (!worthAnother || isNew) throw error;
    say(`${error.message}; wiping the cluster's state and starting afresh`);
    await stopEverything(paths);
    await clearState(paths);
    if (error instanceof ProcessFailed && error.process === 'dockerd') await removeFolder(paths.docker);
    await start(paths);
  }
}

/** Starts the runtime and a Docker Engine, when the machine has none that answers. Returns the engine in use. */
export async function dockerUp(paths: Paths): Promise<Engine> {
  const own = await isRunning(paths, 'dockerd');
  const machines = own ? undefined : await machineEngine(paths);
  if (machines) return machines;
  await ownRuntime(paths);
  return ensureDocker(paths);
}

/**
 * Makes the local cluster usable: builds what is missing, starts what does not run, keeps what does. A cluster whose
 * state does not come up again is started afresh. `inputs` names what the cluster is made from.
 */
export async function localUp(paths: Paths, inputs: string): Promise<void> {
  const stamp = await readStamp(paths);
  if (stamp?.inputs === inputs) {
    const wrong = await ailments(paths, stamp.processes);
    if (wrong.length === 0) return say('the cluster is up');
    say(`repairing: ${wrong.join(', ')}`);
  }
  await rm(paths.stamp, { force: true });
  await ensurePackages();
  for (const tool of localTools) await ensureBuilt(paths, tool);
  await startOrStartAfresh(paths);
  const engine = await chooseEngine(paths);
  await ensureBaseImages(paths, engine, 'local');
  const names = baseImagesFor('local').map((image) => image.name);
  await loadIntoLocal(paths, engine, names);
  const own = (await isRunning(paths, 'dockerd')) ? ['dockerd'] : [];
  const finished: Stamp = { inputs, processes: ['containerd', ...own, ...daemonsOfKubernetes] };
  await writeWhole(paths.stamp, `${JSON.stringify(finished)}\n`);
}
