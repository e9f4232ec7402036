/**
 * Service-account tokens of the cluster, checked against the cluster's public keys as the operator keeps them in a mounted
 * ConfigMap: nobody is asked over the network.
 */
import { hash } from 'node:crypto';
import { TOKEN_KEYS_FILE, TokenKeys } from '@slipway/contract';
import { createLocalJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { followMounted, readMounted } from './mounted.ts';

/** With what API servers sign. Nothing symmetric: a public key must never pass for a secret. */
const ALGORITHMS = ['RS256', 'ES256', 'ES384', 'ES512'];
const MOST_LENGTH = 8192;
const MOST_REMEMBERED = 1024;
/** Checks of signatures at once; each takes a thread for a moment. */
const MOST_CHECKING = 64;
const CLOCK_TOLERANCE_SECONDS = 10;
const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const CURE =
  'the operator keeps the keys of the cluster in a ConfigMap of this namespace; its log says why it does not';

/** `listed`: may call. `unlisted`: a good token of an account that may not. The rest are no good tokens here. */
export type TokenVerdict = 'listed' | 'unlisted' | 'expired' | 'otherAudience' | 'unknown' | 'busy';

export interface Tokens {
  /** There at once for a token that was good before. Never rejects. */
  check(token: string): TokenVerdict | Promise<TokenVerdict>;
  stop(): void;
}

export interface TokenOptions {
  /** Where the keys are mounted. */
  readonly dir: string;
  readonly audience: string;
  /** `namespace/name` or `namespace/*`. */
  readonly serviceAccounts: readonly string[];
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly everyMs?: number;
}

interface Keys {
  readonly issuer: string;
  readonly keyFor: JWTVerifyGetKey;
}

/** Throws an Error that says what is wrong with the file. */
function keysIn(files: ReadonlyMap<string, string>): Keys {
  const text = files.get(TOKEN_KEYS_FILE);
  if (text === undefined) throw new Error('there are no keys to check tokens with');
  const { issuer, keys } = TokenKeys.parse(JSON.parse(text));
  return { issuer, keyFor: createLocalJWKSet({ keys: keys.filter(({ kty }) => kty !== 'oct') }) };
}

/** Throws FailureError(InvalidConfiguration) when there are no keys to begin with. They are read again when they change. */
export function openTokens({ dir, audience, serviceAccounts, log, now = Date.now, everyMs }: TokenOptions): Tokens {
  const remembered = createMemory();
  const listed = new Set(serviceAccounts);
  const first = firstKeys(dir);
  let { keys } = first;
  let checking = 0;
  const take = (files: ReadonlyMap<string, string>): void => {
    keys = keysIn(files);
    // What an old key vouched for is asked about again.
    remembered.clear();
    log.info({}, 'keys of the cluster read');
  };
  const onError = (err: unknown): void =>
    log.error({ err }, `the keys of the cluster cannot be read; those read before stay good: ${CURE}`);
  const stop = followMounted(dir, {
    since: first.mark,
    onChange: take,
    onError,
    ...(everyMs !== undefined && { everyMs }),
  });

  async function verify(token: string, digest: string): Promise<TokenVerdict> {
    const { issuer, keyFor } = keys;
    const askedOf = keys;
    try {
      const { payload } = await jwtVerify(token, keyFor, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now()),
      });
      const [, namespace, name] = SUBJECT.exec(payload.sub as string) ?? [];
      const isListed = listed.has(`${namespace}/${name}`) || listed.has(`${namespace}/*`);
      const verdict = isListed && namespace !== undefined ? 'listed' : 'unlisted';
      if (askedOf === keys) remembered.add(digest, { verdict, expires: (payload.exp as number) * 1000 });
      return verdict;
    } catch (error) {
      return verdictOn(error);
    }
  }

  return {
    check(token) {
      if (token.length > MOST_LENGTH) return 'unknown';
      const digest = hash('sha256', token, 'base64');
      const known = remembered.get(digest);
      if (known && known.expires > now()) return known.verdict;
      if (checking >= MOST_CHECKING) return 'busy';
      checking++;
      return verify(token, digest).finally(() => {
        checking--;
      });
    },
    stop,
  };
}

function firstKeys(dir: string): { keys: Keys; mark: string } {
  try {
    const { files, mark } = readMounted(dir);
    return { keys: keysIn(files), mark };
  } catch {
    throw new FailureError('InvalidConfiguration', `there are no keys to check tokens with: ${CURE}`);
  }
}

/** Of a token whose signature is good it may be told what else is wrong. */
function verdictOn(error: unknown): TokenVerdict {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') return 'otherAudience';
  return 'unknown';
}

interface Remembered {
  readonly verdict: TokenVerdict;
  readonly expires: number;
}

/** The tokens used last, by digest. */
function createMemory() {
  const entries = new Map<string, Remembered>();
  return {
    clear: () => entries.clear(),
    get(digest: string): Remembered | undefined {
      const entry = entries.get(digest);
      if (entry === undefined) return undefined;
      // A Map keeps the order in which keys were set: the one asked for goes to its end.
      entries.delete(digest);
      entries.set(digest, entry);
      return entry;
    },
    add(digest: string, entry: Remembered): void {
      entries.set(digest, entry);
      if (entries.size <= MOST_REMEMBERED) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        return;
      }
    },
  };
}
