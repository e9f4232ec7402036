/** The file of users and tokens that AUTH=secret goes by: its form, and whose credentials are whose. */
import { createHash, scrypt, timingSafeEqual } from 'node:crypto';
import { parse } from 'yaml';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Credentials } from './credentials.ts';

const role = z.enum(['reader', 'editor'], 'expected reader or editor');
const namespaces = z.array(z.string().min(1)).min(1, 'expected a namespace, or leave it out: then it is all of them');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest: 64 lower-case hex digits');
/** `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without padding. */
const SCRYPT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,200})\$([A-Za-z0-9+/]{22,86})$/;
const scryptHash = z
  .string()
  .regex(SCRYPT, 'expected $scrypt$ln=15,r=8,p=1$<salt>$<hash>')
  .refine((text) => Number(SCRYPT.exec(text)?.[1]) <= 17, 'expected a cost (ln) of 17 at most');

const exactlyOne =
  (...keys: readonly string[]) =>
  (entry: object): boolean =>
    keys.filter((key) => (entry as Record<string, unknown>)[key] !== undefined).length === 1;

const UserEntry = z
  .strictObject({
    username: z
      .string()
      .min(1)
      .regex(/^[^:]+$/, 'a user name has no colon'),
    password: z.string().min(1).optional(),
    passwordSha256: sha256.optional(),
    passwordScrypt: scryptHash.optional(),
    role,
    namespaces: namespaces.optional(),
  })
  .refine(
    exactlyOne('password', 'passwordSha256', 'passwordScrypt'),
    'expected exactly one of password, passwordSha256, passwordScrypt',
  );
const TokenEntry = z
  .strictObject({
    name: z.string().min(1),
    token: z.string().min(16, 'expected 16 characters or more').optional(),
    tokenSha256: sha256.optional(),
    role,
    namespaces: namespaces.optional(),
  })
  .refine(exactlyOne('token', 'tokenSha256'), 'expected exactly one of token, tokenSha256');

const UsersFile = z.strictObject({
  users: z.array(UserEntry).default([]),
  tokens: z.array(TokenEntry).default([]),
});

/** Somebody the file names, and what they may. */
export interface Account {
  readonly name: string;
  readonly role: 'reader' | 'editor';
  /** Undefined: all of them. */
  readonly namespaces?: readonly string[] | undefined;
}

interface Known extends Account {
  readonly kind: Credentials['kind'];
  /** SHA-256 of the secret, or how to derive what is compared. */
  readonly digest?: Buffer;
  readonly scrypt?: string;
}

/** The file, checked. */
export interface Users {
  /** Whose credentials these are; undefined when nobody's. Secrets are compared in constant time. */
  find(credentials: Credentials): Promise<Account | undefined>;
}

/** The file cannot be used; the message names the entry and no secret. */
export class UsersFileError extends Error {
  override readonly name = 'UsersFileError';
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Deriving takes a thread and tens of megabytes: whoever guesses passwords must not take all of them. */
const MOST_AT_ONCE = 2;
const MOST_WAITING = 20;

/** Runs so many at once; throws 429 when too many wait already. */
function bounded(): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= MOST_AT_ONCE) {
      if (waiting.length >= MOST_WAITING)
        throw new ApiError('REQUEST_LIMIT_EXCEEDED', 'Too many passwords are being checked. Try again in a moment.');
      // Whoever ends hands its place on.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

async function scryptMatches(password: string, stored: string): Promise<boolean> {
  const [, ln, r, p, salt, hash] = SCRYPT.exec(stored) as unknown as [string, string, string, string, string, string];
  const expected = Buffer.from(hash, 'base64');
  const [N, blocks] = [2 ** Number(ln), Number(r)];
  const options = { N, r: blocks, p: Number(p), maxmem: 256 * N * blocks };
  const derived = await new Promise<Buffer>((resolve, reject) =>
    scrypt(password, Buffer.from(salt, 'base64'), expected.length, options, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
  return timingSafeEqual(derived, expected);
}

function known(file: z.output<typeof UsersFile>): Known[] {
  const users = file.users.map(({ username, password, passwordSha256, passwordScrypt, ...rest }): Known => {
    const who = { kind: 'password', name: username, role: rest.role, namespaces: rest.namespaces } as const;
    if (passwordScrypt !== undefined) return { ...who, scrypt: passwordScrypt };
    return { ...who, digest: passwordSha256 ? Buffer.from(passwordSha256, 'hex') : digestOf(password ?? '') };
  });
  const tokens = file.tokens.map(
    ({ name, token, tokenSha256, ...rest }): Known => ({
      kind: 'token',
      name,
      role: rest.role,
      namespaces: rest.namespaces,
      digest: tokenSha256 ? Buffer.from(tokenSha256, 'hex') : digestOf(token ?? ''),
    }),
  );
  return [...users, ...tokens];
}

function duplicateOf(accounts: readonly Known[]): string | undefined {
  const names = accounts.map(({ name }) => name);
  return names.find((name, index) => names.indexOf(name) !== index);
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // The parser's own message quotes the line, and lines hold passwords.
    throw new UsersFileError('it is neither YAML nor JSON');
  }
}

const accountOf = ({ name, role: held, namespaces: within }: Known): Account => ({
  name,
  role: held,
  namespaces: within,
});

/** Throws UsersFileError, naming the first entry that is wrong. */
export function parseUsers(text: string): Users {
  const result = UsersFile.safeParse(parsed(text) ?? {});
  if (!result.success) {
    const { path, message } = result.error.issues[0] as z.core.$ZodIssue;
    throw new UsersFileError(`${path.join('.') || 'the file'}: ${message}`);
  }
  const accounts = known(result.data);
  if (accounts.length === 0) throw new UsersFileError('it names no user and no token');
  const twice = duplicateOf(accounts);
  if (twice !== undefined)
    throw new UsersFileError(`${twice} is named twice: the history of a model shows these names`);

  const tokens = accounts.filter(({ kind }) => kind === 'token');
  const users = new Map(accounts.filter(({ kind }) => kind === 'password').map((user) => [user.name, user]));
  const nobody = digestOf('');
  // Deriving is slow on purpose, and a client sends its password with every request: the right one is derived once.
  const derived = new Map<string, Buffer>();
  const inTurn = bounded();
  const anyScrypt = accounts.find(({ scrypt: stored }) => stored !== undefined)?.scrypt;

  /** A client that comes with many requests at once has its password derived for the first of them. */
  const underWay = new Map<string, Promise<boolean>>();
  function derivedOnce(password: string, stored: string): Promise<boolean> {
    const key = `${stored}\n${digestOf(password).toString('base64')}`;
    const running = underWay.get(key);
    if (running) return running;
    const started = inTurn(() => scryptMatches(password, stored)).finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  }

  async function isPasswordOf(user: Known, stored: string, password: string): Promise<boolean> {
    const digest = digestOf(password);
    const before = derived.get(user.name);
    if (before && timingSafeEqual(before, digest)) return true;
    if (!(await derivedOnce(password, stored))) return false;
    derived.set(user.name, digest);
    return true;
  }

  return {
    async find(credentials) {
      if (credentials.kind === 'token') {
        const digest = digestOf(credentials.token);
        const found = tokens.filter((one) => timingSafeEqual(one.digest as Buffer, digest))[0];
        return found && accountOf(found);
      }
      const user = users.get(credentials.username);
      const right = user?.scrypt
        ? await isPasswordOf(user, user.scrypt, credentials.password)
        : timingSafeEqual(user?.digest ?? nobody, digestOf(credentials.password));
      // How long a refusal takes does not tell which names there are.
      if (!(user && right) && !user?.scrypt && anyScrypt) await derivedOnce(credentials.password, anyScrypt);
      return user && right ? accountOf(user) : undefined;
    },
  };
}
