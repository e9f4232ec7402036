/** Where the laptop's registry keeps its data and the passwords of its two stores. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { shortHash } from '../../contract/src/index.ts';
import { pathsFor } from '../../test/cluster/paths.ts';

export interface Place {
  readonly folder: string;
  readonly log: string;
  readonly minio: string;
  readonly postgres: string;
  /** Who runs, so that a second start does not share the data. */
  readonly running: string;
}

export interface Secrets {
  readonly postgres: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** True when another user of the machine can come to the folder's place, as Postgres has to when root starts it. */
function isOpenToOthers(folder: string): boolean {
  for (let at = folder; at !== '/'; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
  }
  return true;
}

/** `~/.cache/slipway/registry`; Postgres does not run as root, so its data lies elsewhere when root's home is closed. */
export function placeFor(environment: NodeJS.ProcessEnv): Place {
  const folder = `${pathsFor(environment).cache}/registry`;
  const closedToPostgres = process.getuid?.() === 0 && !isOpenToOthers(dirname(folder));
  return {
    folder,
    log: `${folder}/log`,
    minio: `${folder}/minio`,
    postgres: closedToPostgres ? `/var/lib/slipway-registry-${shortHash(folder, 12)}/postgres` : `${folder}/postgres`,
    running: `${folder}/running.json`,
  };
}

/** Everything that was stored, and the passwords. */
export function forget({ folder, postgres }: Place): void {
  for (const one of [dirname(postgres), folder]) rmSync(one, { recursive: true, force: true });
}

/** The passwords of this laptop's stores, made at the first start. Throws when there is data whose passwords are gone. */
export function secretsOf({ folder, postgres, minio }: Place): Secrets {
  const path = `${folder}/secrets.json`;
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Secrets;
  const data = [postgres, minio].find((path) => existsSync(path));
  if (data) throw new Error(`${data} holds data whose passwords are gone (${path}): --reset forgets the data`);
  const random = () => randomBytes(24).toString('hex');
  const secrets: Secrets = { postgres: random(), accessKey: random().slice(0, 20), secretKey: random() };
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}
