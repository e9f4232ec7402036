import { isRunning } from './daemon.ts';
import { type Outcome, type RunOptions, run, succeeds, which } from './exec.ts';
import type { Paths } from './paths.ts';

/** A Docker Engine that answers. `host` is absent for the machine's own, which the docker command finds by itself. */
export interface Engine {
  readonly host?: string;
}

/** The Docker Engine that we start when the machine has none. */
export function ownEngine(paths: Paths): Engine {
  return { host: `unix://${paths.dockerSocket}` };
}

function environmentOf(engine: Engine): Record<string, string | undefined> {
  return engine.host === undefined ? {} : { DOCKER_HOST: engine.host, DOCKER_CONTEXT: undefined };
}

/** Runs docker against the engine. */
export function docker(engine: Engine, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run('docker', args, { ...options, env: { ...environmentOf(engine), ...options.env } });
}

/** Whether the engine answers now. */
export async function answers(engine: Engine): Promise<boolean> {
  const { code, stdout } = await docker(engine, ['info', '--format', '{{.ServerVersion}}'], {
    mayFail: true,
    timeoutMs: 10_000,
  });
  return code === 0 && stdout.trim() !== '';
}

/** The machine's own engine, if it has one that answers; never the one we started. */
export async function machineEngine(paths: Paths): Promise<Engine | undefined> {
  if ((await which('docker')) === undefined) return undefined;
  const leadsToOurs = process.env.DOCKER_HOST === ownEngine(paths).host;
  const env = leadsToOurs ? { DOCKER_HOST: undefined } : {};
  const found = await succeeds('docker', ['info', '--format', '{{.ServerVersion}}'], { env, timeoutMs: 10_000 });
  if (found && leadsToOurs) delete process.env.DOCKER_HOST;
  return found ? {} : undefined;
}

/** The engine in use: ours when we started one, else the machine's, else none. */
export async function findEngine(paths: Paths): Promise<Engine | undefined> {
  const own = ownEngine(paths);
  if ((await isRunning(paths, 'dockerd')) && (await answers(own))) return own;
  return machineEngine(paths);
}

/** How `docker build` is called: an engine without the BuildKit plug-in uses the builder it has. */
async function builderEnvironment(engine: Engine): Promise<Record<string, string>> {
  const hasBuildKit = engine.host === undefined && (await succeeds('docker', ['buildx', 'version']));
  return hasBuildKit ? {} : { DOCKER_BUILDKIT: '0' };
}

/** Builds an image from a folder. Steps use the machine's network, so that what reaches the outside here does so there. */
export async function buildImage(
  engine: Engine,
  name: string,
  folder: string,
  more: readonly string[] = [],
): Promise<void> {
  const env = await builderEnvironment(engine);
  await docker(engine, ['build', '--quiet', '--network', 'host', '-t', name, ...more, folder], { env });
}

/** A label of a local image; undefined when the image or the label is missing. */
export async function labelOf(engine: Engine, image: string, label: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${label}"}}`;
  const { code, stdout } = await docker(engine, ['image', 'inspect', '--format', format, image], { mayFail: true });
  return code === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

/** The id of a local image: the digest of its configuration. */
export async function imageId(engine: Engine, image: string): Promise<string | undefined> {
  const { code, stdout } = await docker(engine, ['image', 'inspect', '--format', '{{.Id}}', image], { mayFail: true });
  return code === 0 ? stdout.trim() : undefined;
}
