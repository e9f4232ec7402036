import { mkdir, rm } from 'node:fs/promises';
import { ensureRunning, isRunning, stop } from '../daemon.ts';
import { answers, type Engine, ownEngine } from '../docker.ts';
import { eventually, succeeds } from '../exec.ts';
import { writeWhole } from '../files.ts';
import { ensurePackages } from '../packages.ts';
import type { Paths } from '../paths.ts';
import { step } from '../progress.ts';
import {
  containerdConfig,
  containerdDaemon,
  dockerConfig,
  dockerDaemon,
  podNetworkConfig,
} from './container-runtime.ts';
import { ProcessFailed } from './errors.ts';
import { ensureNetwork } from './network.ts';

/** Whether the container runtime answers on its socket. */
export function runtimeAnswers(paths: Paths): Promise<boolean> {
  return succeeds('ctr', ['-a', paths.containerdSocket, 'version'], { timeoutMs: 5_000 });
}

async function startContainerd(paths: Paths): Promise<void> {
  const ready = (): Promise<boolean> => runtimeAnswers(paths);
  // One that runs and does not answer has lost its socket, or its mind.
  if ((await isRunning(paths, 'containerd')) && !(await eventually(ready, 3_000))) await stop(paths, 'containerd');
  await ensureRunning(paths, containerdDaemon(paths));
  if (!(await eventually(ready, 30_000, 200))) throw new ProcessFailed('containerd', 'does not answer');
}

/** Starts the container runtime with its network and its configuration; leaves a running one alone. */
export async function ensureRuntime(paths: Paths): Promise<void> {
  await ensurePackages();
  await mkdir(paths.run, { recursive: true });
  await ensureNetwork();
  await writeWhole(`${paths.config}/containerd.toml`, containerdConfig(paths));
  await writeWhole(`${paths.config}/cni/10-slipway.conflist`, podNetworkConfig(paths));
  const running = await isRunning(paths, 'containerd');
  if (running) await startContainerd(paths);
  else await step('container runtime', () => startContainerd(paths));
}

/** Starts the Docker Engine beside the runtime, which must be running. */
export async function ensureDocker(paths: Paths): Promise<Engine> {
  const engine = ownEngine(paths);
  const running = await isRunning(paths, 'dockerd');
  if (running && (await answers(engine))) return engine;
  await step('Docker Engine', async () => {
    await writeWhole(`${paths.config}/docker.json`, dockerConfig);
    if (running) await stop(paths, 'dockerd');
    // A pid that was given to another process would make Docker think that it runs already.
    await rm(`${paths.run}/docker.pid`, { force: true });
    await ensureRunning(paths, dockerDaemon(paths));
    const ready = (): Promise<boolean> => answers(engine);
    if (!(await eventually(ready, 60_000, 300))) throw new ProcessFailed('dockerd', 'does not answer');
  });
  return engine;
}
