/** Credentials that reach one prefix and end by themselves, from the store's Security Token Service. */
import http from 'node:http';
import https from 'node:https';
import type { ObjectStorageAccess } from '@slipway/contract';
import { AssumeRoleProvider } from 'minio/dist/esm/AssumeRoleProvider.mjs';
import { storeError } from './errors.ts';
import type { Policy } from './policies.ts';
import { StalledError } from './transport.ts';

export interface AssumeRoleOptions {
  /** What the credentials may do; they never may more than those of `access`. */
  readonly policy: Policy;
  /** 900 at least; the store may set a lower limit than was asked for. */
  readonly durationSeconds: number;
  /** 15 s when absent. */
  readonly timeoutMs?: number;
}

export interface TemporaryObjectStorageAccess extends ObjectStorageAccess {
  readonly expiration: Date;
}

/** The service's own error, dug out of what the client wraps around it. */
function causeOf(error: unknown): unknown {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  const code = (inner as { ErrorResponse?: { Error?: { Code?: unknown } } })?.ErrorResponse?.Error?.Code;
  return code === undefined ? inner : { code };
}

/** Rejects, and ends the connection, when `work` takes longer than `timeoutMs`: the client itself would wait for ever. */
async function within<T>(timeoutMs: number, agent: http.Agent, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new StalledError(`no answer for ${timeoutMs} ms`));
      agent.destroy();
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
    agent.destroy();
  }
}

/** `access` with temporary credentials limited to `policy`. Throws ObjectStoreError; may be repeated. */
export async function assumeTenantRole(
  access: ObjectStorageAccess,
  { policy, durationSeconds, timeoutMs = 15_000 }: AssumeRoleOptions,
): Promise<TemporaryObjectStorageAccess> {
  const agent = new (access.endpoint.startsWith('https:') ? https : http).Agent();
  const provider = new AssumeRoleProvider({
    stsEndpoint: access.endpoint,
    accessKey: access.accessKey,
    secretKey: access.secretKey,
    region: access.region,
    durationSeconds,
    policy: JSON.stringify(policy),
    action: 'AssumeRole',
    transportAgent: agent,
  });
  try {
    const parsed = await within(timeoutMs, agent, () => provider.performRequest());
    const credentials = provider.parseCredentials(parsed);
    const { Expiration } = parsed.AssumeRoleResponse.AssumeRoleResult.Credentials as unknown as { Expiration: string };
    return {
      ...access,
      accessKey: credentials.accessKey,
      secretKey: credentials.secretKey,
      ...(credentials.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
      expiration: new Date(Expiration),
    };
  } catch (error) {
    throw storeError(causeOf(error), access, 'assuming the tenant role');
  }
}
