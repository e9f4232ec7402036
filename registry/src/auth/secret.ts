/** AUTH=secret: users and tokens of a file, each a reader or an editor, in all namespaces or in some. */
import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';
import type { Access } from '../http/exchange.ts';
import type { Credentials } from './credentials.ts';
import type { Gate } from './gate.ts';
import type { Account, Users } from './users.ts';

const CACHE_MS = 10_000;
const CACHE_SIZE = 1_000;

const unknown401 = (): ApiError =>
  new ApiError(
    'UNAUTHENTICATED',
    'A user name and password or a token is needed that this registry knows: set MLFLOW_TRACKING_USERNAME and ' +
      'MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.',
  );

function check({ name, role, namespaces }: Account, namespace: string, access: Access): void {
  if (namespaces && !namespaces.includes(namespace))
    throw new ApiError(
      'PERMISSION_DENIED',
      `${name} may not use namespace ${namespace}. Who keeps the registry's users allows it with ` +
        `"namespaces: [${[...namespaces, namespace].join(', ')}]" beside that name.`,
    );
  if (access === 'write' && role === 'reader')
    throw new ApiError(
      'PERMISSION_DENIED',
      `${name} is a reader and may not write. Who keeps the registry's users allows it with "role: editor" beside that name.`,
    );
}

const keyOf = (credentials: Credentials): string => {
  const said =
    credentials.kind === 'token' ? ['token', credentials.token] : [credentials.username, credentials.password];
  return createHash('sha256').update(JSON.stringify(said)).digest('base64');
};

/** Knows whoever `users` knows. Who has been found is remembered for 10 s: deriving a password's hash is slow on purpose. */
export function secretGate(users: Users, { now }: { readonly now: () => number }): Gate {
  const found = new Map<string, { readonly account: Account; readonly until: number }>();

  async function accountOf(credentials: Credentials): Promise<Account> {
    const key = keyOf(credentials);
    const before = found.get(key);
    if (before && before.until > now()) return before.account;
    found.delete(key);
    const account = await users.find(credentials);
    if (!account) throw unknown401();
    const oldest = found.keys().next().value;
    if (found.size >= CACHE_SIZE && oldest !== undefined) found.delete(oldest);
    found.set(key, { account, until: now() + CACHE_MS });
    return account;
  }

  return async (credentials, namespace, access) => {
    if (!credentials) throw unknown401();
    const account = await accountOf(credentials);
    check(account, namespace, access);
    return { name: account.name };
  };
}
