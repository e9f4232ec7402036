/** A Postgres of the machine's own binaries, on loopback, with its data in a folder of ours. */
import { chownSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { connect } from '../../database/src/index.ts';
import { run, succeeds } from '../../test/cluster/exec.ts';
import { packageObstacle } from '../../test/cluster/packages.ts';
import { step } from '../../test/cluster/progress.ts';
import { freePort, type Started, start, whenReady } from './processes.ts';

const DATABASE = 'slipway';
const USER = 'slipway';

type Identity = { readonly uid: number; readonly gid: number };

/** The newest Postgres installed as Debian does, else the one on the PATH; its folder of programs. */
function programs(): string | undefined {
  const version = (path: string) => Number(path.split('/').at(-2));
  const debian = globSync('/usr/lib/postgresql/*/bin').filter((path) => existsSync(`${path}/postgres`));
  const newest = debian.sort((a, b) => version(b) - version(a))[0];
  const onPath = (process.env['PATH'] ?? '').split(':').find((folder) => existsSync(`${folder}/initdb`));
  return newest ?? onPath;
}

const HOW =
  'Postgres is needed: install it (apt install postgresql, brew install postgresql), and put initdb on the PATH';

async function installed(): Promise<string> {
  const found = programs();
  if (found) return found;
  const obstacle = await packageObstacle();
  if (obstacle) throw new Error(`${HOW}. It is not installed for you, because ${obstacle}`);
  await step('install the Debian package postgresql', async () => {
    // The package would start a server of its own.
    const settings = '/etc/postgresql-common/createcluster.conf';
    if (!existsSync(settings)) {
      mkdirSync(dirname(settings), { recursive: true });
      writeFileSync(settings, 'create_main_cluster = false\n');
    }
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const install = ['install', '-y', '-qq', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'];
    if (await succeeds('apt-get', [...install, 'postgresql'], { env })) return;
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', [...install, 'postgresql'], { env });
  });
  const there = programs();
  if (!there) throw new Error(HOW);
  return there;
}

/** Postgres refuses to run as root: whom it runs as then. */
function identity(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  const [, , uid = '65534', gid = '65534'] = users.find((line) => line.startsWith('postgres:'))?.split(':') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

/** The folder gets its name when it is complete: a first start that was cut short is done again. */
async function initialise(bin: string, data: string, password: string, as: Identity | undefined): Promise<void> {
  if (existsSync(`${data}/PG_VERSION`)) return;
  const [partial, passwordFile] = [`${data}.partial`, `${data}.password`];
  rmSync(partial, { recursive: true, force: true });
  // The one who runs Postgres comes through here.
  mkdirSync(dirname(data), { recursive: true, mode: 0o711 });
  mkdirSync(partial, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (as) for (const path of [partial, passwordFile]) chownSync(path, as.uid, as.gid);
  const args = [
    ...[`--pgdata=${partial}`, `--username=${USER}`, `--pwfile=${passwordFile}`],
    ...['--encoding=UTF8', '--locale=C.UTF-8', '--auth=scram-sha-256', '--no-instructions'],
  ];
  const log = `${data}.initdb.log`;
  rmSync(log, { force: true });
  const init = start('initdb', `${bin}/initdb`, args, { log, as });
  await whenReady(init, async () => init.child.exitCode === 0);
  rmSync(passwordFile);
  rmSync(log, { force: true });
  renameSync(partial, data);
}

/** Starts it (installing it first where that is possible), makes the database, and returns what the registry is told. */
export async function startPostgres(
  data: string,
  log: string,
  password: string,
  onStarted: (started: Started) => void,
): Promise<Record<string, string>> {
  const bin = await installed();
  const as = identity();
  await initialise(bin, data, password, as);
  const wrote = readFileSync(`${data}/PG_VERSION`, 'utf8').trim();
  const { stdout } = await run(`${bin}/postgres`, ['--version']);
  if (!stdout.includes(` ${wrote}.`))
    throw new Error(`the data is of Postgres ${wrote}, and installed is ${stdout.trim()}: --reset forgets the data`);
  const port = await freePort();
  const args = [
    ...['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    ...['-c', 'max_connections=60'],
  ];
  // SIGINT is Postgres' fast shutdown: it does not wait for open connections.
  const started = start('Postgres', `${bin}/postgres`, args, { log, as, signal: 'SIGINT' });
  onStarted(started);
  const access = { host: '127.0.0.1', port, username: USER, password, sslMode: 'disable' as const };
  await whenReady(started, async () => {
    const pool = connect({ ...access, database: 'postgres' }, { applicationName: 'slipway-laptop' });
    try {
      const { rowCount } = await pool.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await pool.query(`CREATE DATABASE ${DATABASE}`);
      return true;
    } finally {
      await pool.end();
    }
  });
  return {
    POSTGRES_HOST: access.host,
    POSTGRES_PORT: String(port),
    POSTGRES_DATABASE: DATABASE,
    POSTGRES_USERNAME: USER,
    POSTGRES_PASSWORD: password,
    POSTGRES_SSL_MODE: 'disable',
  };
}
