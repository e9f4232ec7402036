/** API keys from a mounted Secret: which client has which, without ever keeping or telling one. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { followMounted, readMounted } from './mounted.ts';

/** Shorter ones can be guessed. */
const LEAST_LENGTH = 16;
const MOST_LENGTH = 4096;
/** What a header can carry without quoting. */
const SENDABLE = /^[\x21-\x7e]+$/;
const CURE = `spec.auth.apiKeys.secretName has to name a Secret that holds a key of at least ${LEAST_LENGTH} characters for each client`;

export interface ApiKeys {
  /** How many clients have one. With none nobody can be let in. */
  count(): number;
  /** Takes as long for a wrong key as for any other. */
  knows(key: string): boolean;
  stop(): void;
}

export interface ApiKeyOptions {
  /** Where the Secret is mounted: one file a client, with its key in it. */
  readonly dir: string;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Throws FailureError(InvalidConfiguration) when there is no key to begin with. Keys are read again when they change. */
export function openApiKeys({ dir, log, everyMs }: ApiKeyOptions): ApiKeys {
  // Digests are of this process only: nobody can choose keys by them, so how long it takes to look one up tells nothing.
  const salt = randomBytes(32).toString('base64');
  const digestOf = (key: string): string => hash('sha256', `${salt}${key}`, 'binary');
  const digestsOf = (files: ReadonlyMap<string, string>): Map<string, Buffer> => {
    const found = [...usable(files, log)].map(digestOf);
    return new Map(found.map((digest) => [digest, Buffer.from(digest, 'binary')]));
  };
  const nobody = randomBytes(32);
  const first = readMounted(dir);
  let digests = digestsOf(first.files);
  const take = (files: ReadonlyMap<string, string>): void => {
    digests = digestsOf(files);
    if (digests.size === 0) log.error({}, `no API keys are left, so every request is refused: ${CURE}`);
    else log.info({ clients: digests.size }, 'API keys read');
  };
  if (digests.size === 0) throw new FailureError('InvalidConfiguration', `there are no API keys: ${CURE}`);
  const onError = (err: unknown): void => log.error({ err }, 'API keys cannot be read; those read before stay good');
  const stop = followMounted(dir, {
    since: first.mark,
    onChange: take,
    onError,
    ...(everyMs !== undefined && { everyMs }),
  });
  return {
    count: () => digests.size,
    knows(key) {
      if (key.length > MOST_LENGTH) return false;
      const given = digestOf(key);
      return timingSafeEqual(digests.get(given) ?? nobody, Buffer.from(given, 'binary'));
    },
    stop,
  };
}

/** The keys that can be used; of the others only the client's name is told. */
function* usable(files: ReadonlyMap<string, string>, log: Logger): Generator<string> {
  for (const [client, text] of files) {
    // Editors and `echo` leave a line end that nobody sends.
    const key = text.trim();
    const problem = problemOf(key);
    if (problem === undefined) yield key;
    else log.warn({ client, problem }, 'this API key is not used');
  }
}

function problemOf(key: string): string | undefined {
  if (key.length < LEAST_LENGTH) return `shorter than ${LEAST_LENGTH} characters`;
  if (key.length > MOST_LENGTH) return `longer than ${MOST_LENGTH} characters`;
  return SENDABLE.test(key) ? undefined : 'holds spaces or characters a header cannot carry';
}
