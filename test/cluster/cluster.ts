import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { baseImagesFor, ensureBaseImages } from './base-images.ts';
import { ensureBuilt, folderOf } from './binaries.ts';
import { type Choice, type ClusterKind, chooseCluster, type Facts, NoCluster } from './choice.ts';
import { isRunning } from './daemon.ts';
import { findEngine, machineEngine } from './docker.ts';
import type { ShellEnvironment } from './environment.ts';
import { which } from './exec.ts';
import { digestOfFolder, exists, readIfThere, writeWhole } from './files.ts';
import { localDown } from './local/down.ts';
import { ailments } from './local/health.ts';
import { loadIntoLocal } from './local/images.ts';
import { localUp, readStamp } from './local/up.ts';
import { metricsUp } from './metrics-server.ts';
import { contextAnswers, kindDown, kindLoad, kindUp, privilegedContainerStarts } from './own-cluster.ts';
import { packageObstacle } from './packages.ts';
import type { Paths } from './paths.ts';
import { say } from './progress.ts';
import { type Tool, tools } from './tools.ts';

/** The choice that the last `up` made; undefined when there is no cluster. */
export async function rememberedChoice(paths: Paths): Promise<Choice | undefined> {
  const text = await readIfThere(paths.choice);
  return text === undefined ? undefined : (JSON.parse(text) as Choice);
}

function factsOf(paths: Paths): Facts {
  return {
    currentContextAnswers: () => contextAnswers(),
    dockerAnswers: async () => (await machineEngine(paths)) !== undefined,
    kindIsInstalled: async () => (await which('kind')) !== undefined,
    privilegedContainerStarts,
    localObstacle: packageObstacle,
  };
}

async function choose(paths: Paths, requested: string | undefined): Promise<Choice> {
  const remembered = await rememberedChoice(paths);
  const asked = requested && requested !== 'auto' ? requested : undefined;
  if (remembered && asked && asked !== remembered.kind) {
    throw new NoCluster(`CLUSTER=${asked}, but the cluster in use is ${remembered.kind}; take it down first`);
  }
  if (remembered && remembered.kind !== 'current') return remembered;
  return chooseCluster(requested, factsOf(paths));
}

/** Tools that a cluster which is not ours needs beside it, built only when the machine has none. */
async function missingTools(path?: string): Promise<readonly Tool[]> {
  const wanted = [tools.kubectl, tools.helm];
  const found = await Promise.all(wanted.map(({ name }) => which(name, path)));
  return wanted.filter((_, index) => found[index] === undefined);
}

async function ownUp(paths: Paths, kind: ClusterKind): Promise<void> {
  for (const tool of await missingTools()) await ensureBuilt(paths, tool);
  if (kind === 'current') return;
  await kindUp(paths);
  const engine = await machineEngine(paths);
  if (engine === undefined) throw new NoCluster('no Docker Engine answers');
  await ensureBaseImages(paths, engine, kind);
  await kindLoad(baseImagesFor(kind).map((image) => image.name));
}

/** Makes a cluster usable, the one that `requested` (the value of CLUSTER) leads to, and remembers which it is. */
export async function up(paths: Paths, requested: string | undefined): Promise<void> {
  const choice = await choose(paths, requested);
  say(`cluster: ${choice.kind} (${choice.why})`);
  await writeWhole(paths.choice, `${JSON.stringify(choice)}\n`);
  if (choice.kind !== 'local') return ownUp(paths, choice.kind);
  await localUp(paths, await digestOfFolder(dirname(fileURLToPath(import.meta.url))));
  // Starting afresh removes what was remembered.
  await writeWhole(paths.choice, `${JSON.stringify(choice)}\n`);
}

/** Takes down the cluster that `up` started. The user's own is left alone. Harmless when there is none. */
export async function down(paths: Paths): Promise<void> {
  if ((await rememberedChoice(paths))?.kind === 'kind') await kindDown();
  await localDown(paths);
}

/** What is wrong with the cluster in use, as sentences; none when it is healthy. */
export async function problems(paths: Paths): Promise<string[]> {
  const choice = await rememberedChoice(paths);
  if (choice === undefined) return ['no cluster is up'];
  if (choice.kind !== 'local') {
    const kubeconfig = choice.kind === 'kind' ? paths.kubeconfig : undefined;
    return (await contextAnswers(kubeconfig)) ? [] : ['the API server does not answer'];
  }
  const stamp = await readStamp(paths);
  return stamp ? ailments(paths, stamp.processes) : ['the last up did not finish'];
}

/** What a shell needs to use the cluster, also when only a Docker Engine was started. */
export async function shellEnvironment(paths: Paths): Promise<ShellEnvironment> {
  const kind = (await rememberedChoice(paths))?.kind ?? 'local';
  const node = dirname(process.execPath);
  const own = (await isRunning(paths, 'dockerd')) ? { dockerHost: `unix://${paths.dockerSocket}` } : {};
  if (kind === 'local') {
    const path = [folderOf(paths, tools.kubernetes), folderOf(paths, tools.helm), node];
    return { kind, kubeconfig: paths.kubeconfig, path, ...own };
  }
  const folders = (await missingTools()).map((tool) => folderOf(paths, tool));
  const there = await Promise.all(folders.map(exists));
  const path = [...folders.filter((_, index) => there[index]), node];
  return { kind, path, ...own, ...(kind === 'kind' ? { kubeconfig: paths.kubeconfig } : {}) };
}

/** Makes the metrics API answer, which autoscalers ask; builds its server once. The user's own cluster is left as it is. */
export async function metrics(paths: Paths): Promise<void> {
  const kind = (await rememberedChoice(paths))?.kind;
  if (kind === undefined) throw new NoCluster('no cluster is up');
  if (kind === 'current') throw new NoCluster('CLUSTER=current: install the metrics-server of its provider');
  const engine = await findEngine(paths);
  if (engine === undefined) throw new NoCluster('no Docker Engine answers');
  const { kubeconfig = paths.kubeconfig, path } = await shellEnvironment(paths);
  const env = { KUBECONFIG: kubeconfig, PATH: [...path, process.env.PATH ?? ''].join(':') };
  await metricsUp(paths, engine, { env, load: (images) => load(paths, images) });
}

/** Gives the cluster images that Docker has. */
export async function load(paths: Paths, images: readonly string[]): Promise<void> {
  const kind = (await rememberedChoice(paths))?.kind;
  if (kind === undefined) throw new NoCluster('no cluster is up');
  if (kind === 'current') {
    throw new NoCluster('images cannot be loaded into CLUSTER=current: push them to a registry that it pulls from');
  }
  if (kind === 'kind') return kindLoad(images);
  const engine = await findEngine(paths);
  if (engine === undefined) throw new NoCluster('no Docker Engine answers');
  const loaded = await loadIntoLocal(paths, engine, images);
  if (loaded.length === 0) say(`already loaded: ${images.join(' ')}`);
}
