import { run, succeeds } from './exec.ts';
import type { Paths } from './paths.ts';
import { say, step } from './progress.ts';

const name = 'slipway';

async function kindHasCluster(): Promise<boolean> {
  const { stdout } = await run('kind', ['get', 'clusters'], { mayFail: true });
  return stdout.split('\n').includes(name);
}

/** Makes a kind cluster, or takes the one that is there, and writes its kubeconfig. One that does not answer is remade. */
export async function kindUp(paths: Paths): Promise<void> {
  const target = ['--name', name, '--kubeconfig', paths.kubeconfig];
  if (await kindHasCluster()) {
    await run('kind', ['export', 'kubeconfig', ...target]);
    if (await contextAnswers(paths.kubeconfig)) {
      return say('the kind cluster is up');
    }
    await step('kind cluster does not answer, removing it', () => kindDown());
  }
  const image = process.env.KIND_IMAGE ? ['--image', process.env.KIND_IMAGE] : [];
  await step('kind cluster', async () => {
    await run('kind', ['create', 'cluster', ...target, ...image, '--wait', '120s']);
  });
}

/** Removes the kind cluster; harmless when there is none. */
export async function kindDown(): Promise<void> {
  await run('kind', ['delete', 'cluster', '--name', name]);
}

/** Gives the kind cluster images that Docker has; kind itself leaves out what its node has already. */
export async function kindLoad(images: readonly string[]): Promise<void> {
  await step(`load ${images.join(' ')}`, async () => {
    await run('kind', ['load', 'docker-image', '--name', name, ...images]);
  });
}

/** Whether the API server of the user's current context answers, or that of the given kubeconfig. */
export async function contextAnswers(kubeconfig?: string): Promise<boolean> {
  const which = kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig];
  return succeeds('kubectl', [...which, 'get', '--raw', '/readyz'], { timeoutMs: 15_000 });
}

/** Whether Docker can start a privileged container, which kind's node is. The first answer may need a small image. */
export async function privilegedContainerStarts(): Promise<boolean> {
  const images = await run('docker', ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', 'kindest/node'], {
    mayFail: true,
  });
  const image = images.stdout.split('\n').find((line) => line !== '' && !line.endsWith('<none>')) ?? 'busybox:1.37';
  return succeeds('docker', ['run', '--rm', '--privileged', '--entrypoint', '/bin/true', image], { timeoutMs: 60_000 });
}
