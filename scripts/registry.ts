/**
 * The registry on a laptop, without Kubernetes: a Postgres, a MinIO and the registry itself, all on loopback, with data
 * that stays from one start to the next. Ctrl-C stops all three.
 * Usage: node scripts/registry.ts [--reset]     PORT, and the settings of docs/registry-settings.md, may be set beside it
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isLoopback } from '../registry/src/auth/origin.ts';
import { startMinio } from './registry/minio.ts';
import { forget, type Place, placeFor, secretsOf } from './registry/place.ts';
import { startPostgres } from './registry/postgres.ts';
import { commandOf, end, lastLines, type Started, start, whenReady } from './registry/processes.ts';

const main = fileURLToPath(new URL('../registry/src/main.ts', import.meta.url));

interface Running {
  readonly pid: number;
  readonly children: readonly number[];
}

/** Ends what a start that was killed left behind, and refuses to share the data with one that goes on. */
async function takeOver({ running, folder, postgres }: Place): Promise<void> {
  if (!existsSync(running)) return;
  const { pid, children } = JSON.parse(readFileSync(running, 'utf8')) as Running;
  if (pid !== process.pid && commandOf(pid).includes('scripts/registry.ts'))
    throw new Error(`it runs already (process ${pid}); Ctrl-C there, or kill ${pid}, stops it`);
  for (const child of children) {
    const command = commandOf(child);
    if ([folder, postgres, main].some((part) => command.includes(part))) await end(child);
  }
}

const remember = ({ running }: Place, started: readonly Started[]): void =>
  writeFileSync(running, JSON.stringify({ pid: process.pid, children: started.map(({ child }) => child.pid) }));

/** What the registry is told; what is set in the shell outranks all but the stores. */
function settings(stores: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const set = {
    ...{ PORT: '5000', LISTEN_ADDRESS: '127.0.0.1', AUTH: 'none', NAMESPACES: 'any', VERIFIER: 'none' },
    ...{ DRAIN_SECONDS: '0' },
    ...process.env,
    ...stores,
  };
  if (set.AUTH === 'none' && !isLoopback(set.LISTEN_ADDRESS))
    throw new Error('AUTH=none is for loopback only: set AUTH=secret and AUTH_FILE, or leave LISTEN_ADDRESS alone');
  return set;
}

async function startAll(place: Place, started: Started[]): Promise<string> {
  const secrets = secretsOf(place);
  mkdirSync(place.log, { recursive: true });
  const keep = (one: Started): void => {
    started.push(one);
    remember(place, started);
  };
  settings({});
  const postgres = await startPostgres(place.postgres, `${place.log}/postgres.log`, secrets.postgres, keep);
  const minio = await startMinio(place.minio, `${place.log}/minio.log`, secrets, keep);
  const env = settings({ ...postgres, ...minio });
  const registry = start('the registry', process.execPath, [main], { log: `${place.log}/registry.log`, env });
  keep(registry);
  const url = `http://127.0.0.1:${env['PORT']}`;
  await whenReady(registry, async () => (await fetch(`${url}/readyz`)).ok);
  return url;
}

async function stopAll(place: Place, started: Started[]): Promise<void> {
  // The registry before its stores.
  for (const one of started.reverse()) await one.stop();
  rmSync(place.running, { force: true });
}

/** Resolves at Ctrl-C or SIGTERM; throws when one of the processes ends by itself. */
const interrupted = (started: readonly Started[]): Promise<void> =>
  new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    for (const { name, child, log } of started)
      child.once('exit', () => reject(new Error(`${name} ended:\n${lastLines(log)}`)));
  });

async function run(place: Place): Promise<void> {
  await takeOver(place);
  if (process.argv.includes('--reset')) forget(place);
  const started: Started[] = [];
  const early = interrupted([]);
  try {
    const url = await Promise.race([startAll(place, started), early]);
    if (url === undefined) return;
    console.log(`\nThe registry answers. In the shell (or notebook) that runs your script:\n`);
    console.log(`  export MLFLOW_TRACKING_URI=${url}\n`);
    console.log(`Data, passwords and logs: ${place.folder}. Ctrl-C stops it; --reset forgets the data.`);
    await Promise.race([interrupted(started), early]);
    console.log('stopping');
  } finally {
    await stopAll(place, started);
  }
}

await run(placeFor(process.env)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
