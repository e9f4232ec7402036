/** Reads the file of users again whenever it has changed, as a mounted Secret does. */
import { readFile, stat } from 'node:fs/promises';
import type { Credentials } from './credentials.ts';
import { type Account, parseUsers, type Users } from './users.ts';

const LOOK_MS = 1_000;

export interface UsersFileOptions {
  readonly now: () => number;
  /** Told when a changed file cannot be used: the one before goes on holding. */
  readonly onProblem: (error: unknown) => void;
}

/** Changes whenever the file does, also when a link to it is turned, which is how Secrets are updated. */
async function stampOf(path: string): Promise<string> {
  const { ino, mtimeMs, size } = await stat(path);
  return `${ino}/${mtimeMs}/${size}`;
}

/** Throws when the file cannot be used at the start; afterwards its last good state holds. A change is seen within a second. */
export async function openUsersFile(path: string, { now, onProblem }: UsersFileOptions): Promise<Users> {
  let stamp = await stampOf(path);
  let users = parseUsers(await readFile(path, 'utf8'));
  let lookAt = now() + LOOK_MS;

  async function look(): Promise<void> {
    const current = await stampOf(path);
    if (current === stamp) return;
    users = parseUsers(await readFile(path, 'utf8'));
    stamp = current;
  }

  return {
    async find(credentials: Credentials): Promise<Account | undefined> {
      if (now() >= lookAt) {
        lookAt = now() + LOOK_MS;
        await look().catch(onProblem);
      }
      return users.find(credentials);
    },
  };
}
