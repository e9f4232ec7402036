/** A cluster for demonstrations and tests: `node test/cluster/cli.ts help` says what it can do. */
import { ensureBuilt } from './binaries.ts';
import { down, load, metrics, problems, rememberedChoice, shellEnvironment, up } from './cluster.ts';
import { buildImage, findEngine } from './docker.ts';
import { exportLines } from './environment.ts';
import { readIfThere } from './files.ts';
import { NotReady, ProcessFailed } from './local/errors.ts';
import { dockerUp } from './local/up.ts';
import { withLock } from './lock.ts';
import { pathsFor } from './paths.ts';
import { say } from './progress.ts';
import { localTools, type Tool, tools } from './tools.ts';

const usage = `usage: cli.ts COMMAND

  up                     make a cluster usable: CLUSTER=auto (default), kind, local, or current (never guessed)
  down                   take it down; built programs and images stay in the cache
  status                 say which cluster is in use and what is wrong with it; exits with 1 when something is
  env                    print what eval "$(…)" needs: KUBECONFIG, PATH, DOCKER_HOST
  image NAME FOLDER [docker build options]
                         build an image; its steps use the machine's network
  load IMAGE…            give the cluster images that Docker has
  metrics                make the metrics API answer, which autoscalers ask; its server is built once
  docker-up              make a Docker Engine answer
  binaries [NAME…]       build programs: ${Object.keys(tools).join(', ')}

The cache is SLIPWAY_CACHE, by default ~/.cache/slipway.
`;

const paths = pathsFor(process.env);

function toolNamed(name: string): Tool {
  const found = Object.values(tools).find((tool) => tool.name === name);
  if (found === undefined) throw new Error(`no program ${name}; known are ${Object.keys(tools).join(', ')}`);
  return found;
}

async function status(): Promise<void> {
  const choice = await rememberedChoice(paths);
  const wrong = await problems(paths);
  process.stdout.write(`cluster: ${choice ? `${choice.kind} (${choice.why})` : 'none'}\n`);
  process.stdout.write(wrong.length === 0 ? 'healthy\n' : wrong.map((line) => `problem: ${line}\n`).join(''));
  if (wrong.length > 0) process.exitCode = 1;
}

async function image([name, folder, ...more]: readonly string[]): Promise<void> {
  if (name === undefined || folder === undefined) throw new Error('image needs a NAME and a FOLDER');
  const engine = (await findEngine(paths)) ?? (await withLock(paths.lock, () => dockerUp(paths)));
  await buildImage(engine, name, folder, more);
}

async function binaries(names: readonly string[]): Promise<void> {
  for (const tool of names.length > 0 ? names.map(toolNamed) : localTools) await ensureBuilt(paths, tool);
}

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  up: () => withLock(paths.lock, () => up(paths, process.env.CLUSTER)),
  down: () => withLock(paths.lock, () => down(paths)),
  status,
  env: async () => {
    process.stdout.write(exportLines(await shellEnvironment(paths), process.env.PATH ?? ''));
  },
  image,
  load: (images) => withLock(paths.lock, () => load(paths, images)),
  metrics: () => withLock(paths.lock, () => metrics(paths)),
  'docker-up': async () => {
    await withLock(paths.lock, () => dockerUp(paths));
  },
  binaries: (names) => withLock(paths.lock, () => binaries(names)),
};

/** The end of the logs that may tell why it failed. */
async function explain(error: unknown): Promise<void> {
  const suspects = error instanceof ProcessFailed ? [error.process] : [];
  if (error instanceof NotReady) suspects.push('kubelet', 'containerd');
  for (const name of suspects) {
    const log = `${paths.log}/${name}.log`;
    const lines = ((await readIfThere(log)) ?? '').trimEnd().split('\n').slice(-25);
    process.stderr.write(`--- end of ${log}\n${lines.join('\n')}\n`);
  }
}

const [verb = 'help', ...args] = process.argv.slice(2);
const command = commands[verb];
if (command === undefined) {
  process.stdout.write(usage);
  process.exitCode = verb === 'help' ? 0 : 2;
} else {
  try {
    await command(args);
    // Connections to the API server are kept open for reuse and would keep the process alive.
    process.exit();
  } catch (error) {
    await explain(error);
    say(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}
