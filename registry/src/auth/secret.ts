/** AUTH=secret: users and tokens of a file, each a reader or an editor, in all namespaces or in some. */
import { ApiError } from '../errors.ts';
import type { Access } from '../http/exchange.ts';
import type { Gate } from './gate.ts';
import type { Account, Users } from './users.ts';

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

/** Knows whoever `users` knows. */
export function secretGate(users: Users): Gate {
  return async (credentials, namespace, access) => {
    const account = credentials && (await users.find(credentials));
    if (!account) throw unknown401();
    check(account, namespace, access);
    return { name: account.name };
  };
}
