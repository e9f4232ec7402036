/**
 * The public keys with which the API server signs tokens of service accounts, and the ConfigMap of a namespace in which
 * model servers find them: so they check tokens without asking anybody.
 */
import { TOKEN_KEYS_CONFIG_MAP, TOKEN_KEYS_FILE, TokenKeys } from '@slipway/contract';
import { z } from 'zod';
import { MANAGED_BY_SELECTOR } from '../api/containers.ts';
import { TerminalError } from '../api/errors.ts';
import type { KubeObject } from '../api/meta.ts';
import { FIELD_MANAGER } from './apply.ts';
import { isForbidden, isInvalid, isNotFound, KubeError } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';
import { guardedWrites } from './writer.ts';

const CONFIGURATION = '/.well-known/openid-configuration';
const KEYS = '/openid/v1/jwks';
const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' };
/** How long an answer is good, and how soon a ConfigMap is written again although nothing changed: it may be gone. */
const FRESH_MS = 60_000;
const LOOK_AGAIN_MS = 60_000;

const Configuration = z.object({ issuer: z.string() });
const KeySet = z.object({ keys: z.array(z.unknown()) });

const terminal = (message: string, cause: unknown): TerminalError =>
  new TerminalError('TokenKeysUnavailable', `${message}; it is tried again every minute`, {
    cause,
    retryAfterMs: LOOK_AGAIN_MS,
  });

/** What will not pass by itself, in words for whoever looks at the object; the rest is ours to retry. */
function discoveryRefusal(error: unknown): unknown {
  const isOurs = error instanceof KubeError && !isForbidden(error) && !isNotFound(error);
  if (isOurs) return error;
  const said = error instanceof KubeError ? error.message : 'the answer is no key set';
  return terminal(
    `spec.auth.tokens needs the public keys of the cluster, and the API server does not give them: ${said}. ` +
      `Have kubectl get --raw ${KEYS} answer, and let the operator read it (rbac.create of the chart does), or use spec.auth.apiKeys`,
    error,
  );
}

function writeRefusal(namespace: string, error: unknown): unknown {
  if (!isForbidden(error) && !isInvalid(error)) return error;
  return terminal(
    `the API server refuses ConfigMap ${namespace}/${TOKEN_KEYS_CONFIG_MAP}, which spec.auth.tokens needs: ` +
      `${(error as KubeError).message}. Raise the quota, change the policy or bind the operator's Role in ${namespace}, whichever it names`,
    error,
  );
}

const [LABEL = '', MANAGER = ''] = MANAGED_BY_SELECTOR.split('=');

/** Goes with the last of its owners. */
const configMap = (namespace: string, keys: TokenKeys, owners: readonly KubeObject[]) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    namespace,
    name: TOKEN_KEYS_CONFIG_MAP,
    labels: { [LABEL]: MANAGER },
    ownerReferences: owners
      .map(({ apiVersion, kind, metadata: { name, uid } }) => ({ apiVersion, kind, name, uid }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  },
  data: { [TOKEN_KEYS_FILE]: JSON.stringify(keys) },
});

/** Able to write only while this process leads. `now` in milliseconds. */
export function tokenKeysAccess(transport: Transport, assertLeading: () => void, now: () => number) {
  const write = guardedWrites(transport, assertLeading);
  const written = new Map<string, { readonly content: string; readonly at: number }>();
  let known: { readonly keys: TokenKeys; readonly at: number } | undefined;

  async function keysOfCluster(): Promise<TokenKeys> {
    if (known && now() - known.at < FRESH_MS) return known.keys;
    try {
      const { issuer } = Configuration.parse(await transport.json({ method: 'GET', path: CONFIGURATION }));
      // The only media type it is given in.
      const accept = 'application/jwk-set+json';
      const { keys } = KeySet.parse(await transport.json({ method: 'GET', path: KEYS, accept }));
      known = { keys: TokenKeys.parse({ issuer, keys }), at: now() };
      return known.keys;
    } catch (error) {
      throw discoveryRefusal(error);
    }
  }

  return {
    /** Keeps the cluster's keys in the namespace for as long as one of `owners` is there. Cheap when they are there already. */
    async ensure(namespace: string, owners: readonly KubeObject[]): Promise<void> {
      const body = configMap(namespace, await keysOfCluster(), owners);
      const content = JSON.stringify(body);
      const last = written.get(namespace);
      if (last?.content === content && now() - last.at < FRESH_MS) return;
      await write({
        method: 'PATCH',
        path: resourcePath(CONFIG_MAPS, namespace, TOKEN_KEYS_CONFIG_MAP),
        query: { fieldManager: FIELD_MANAGER, force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body,
      }).catch((error) => {
        throw writeRefusal(namespace, error);
      });
      written.set(namespace, { content, at: now() });
    },
  };
}
