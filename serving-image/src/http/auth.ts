/** Who may ask: a client with an API key, or a service account of the cluster. One of the ways that are set must be met. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ServeSettings } from '@slipway/contract';
import { Counter, type Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { overloaded, Refusal } from '../request/refusal.ts';
import { type ApiKeys, openApiKeys } from './auth-keys.ts';
import type { Tokens, TokenVerdict } from './auth-tokens.ts';

export interface AuthOptions {
  readonly settings: NonNullable<ServeSettings['auth']>;
  readonly apiKeysDir: string;
  readonly tokenKeysDir: string;
  readonly registry: Registry;
  readonly log: Logger;
  /** How often the files are looked at. */
  readonly everyMs?: number;
}

export interface Auth {
  /** Undefined: may go on. There at once for API keys, and for tokens that were good before. Never rejects. */
  authorize(request: Pick<IncomingMessage, 'headers'>): Refusal | undefined | Promise<Refusal | undefined>;
  stop(): void;
}

type Why = 'no_credentials' | 'unknown_credentials' | 'account_not_listed' | 'no_keys' | 'busy';

/** Throws FailureError(InvalidConfiguration) when what is to be checked against is not there. */
export async function openAuth({ settings, registry, log, ...options }: AuthOptions): Promise<Auth> {
  const pace = options.everyMs === undefined ? {} : { everyMs: options.everyMs };
  const keys = settings.apiKeys ? openApiKeys({ dir: options.apiKeysDir, log, ...pace }) : undefined;
  const tokens = settings.tokens && (await tokensOf(settings.tokens, { dir: options.tokenKeysDir, log, ...pace }));
  const refused = new Counter({
    name: 'slipway_requests_refused_total',
    help: 'Requests that were not let in, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const words = wordsFor(settings);
  const refuse = (why: Why, refusal: Refusal): Refusal => {
    refused.inc({ reason: why });
    return refusal;
  };
  const onToken = (verdict: TokenVerdict): Refusal | undefined => {
    if (verdict === 'listed') return undefined;
    if (verdict === 'busy') return refuse('busy', overloaded());
    if (verdict === 'unlisted') return refuse('account_not_listed', new Refusal(403, NOT_LISTED));
    return refuse('unknown_credentials', unauthorized(words[verdict], 'invalid_token'));
  };
  return {
    authorize({ headers }) {
      if (!tokens && keys?.count() === 0) return refuse('no_keys', new Refusal(503, NO_KEYS, { 'retry-after': '10' }));
      const { key, bearer } = presented(headers);
      if (key === undefined && bearer === undefined) return refuse('no_credentials', unauthorized(words.none));
      if (keys && isKnown(keys, key, bearer)) return undefined;
      // A key is never taken for a token: only what has a token's form costs the check of a signature.
      if (!tokens || bearer === undefined || !isJwt(bearer)) return onToken('unknown');
      const verdict = tokens.check(bearer);
      return typeof verdict === 'string' ? onToken(verdict) : verdict.then(onToken);
    },
    stop() {
      keys?.stop();
      tokens?.stop();
    },
  };
}

async function tokensOf(
  { audience, serviceAccounts }: NonNullable<AuthOptions['settings']['tokens']>,
  where: { readonly dir: string; readonly log: Logger; readonly everyMs?: number },
): Promise<Tokens> {
  // Whoever does not use tokens does not load what checks them.
  const { openTokens } = await import('./auth-tokens.ts');
  return openTokens({ ...where, audience, serviceAccounts });
}

interface Presented {
  readonly key?: string;
  readonly bearer?: string;
}

const BEARER = /^bearer +([^\s]+)$/i;

function presented(headers: IncomingHttpHeaders): Presented {
  const key = headers['x-api-key'];
  const bearer = headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1];
  return { ...(typeof key === 'string' && key !== '' && { key }), ...(bearer !== undefined && { bearer }) };
}

const isKnown = (keys: ApiKeys, ...given: readonly (string | undefined)[]): boolean =>
  given.some((key) => key !== undefined && keys.knows(key));

const isJwt = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);

const NOT_LISTED =
  'The service account of this token may not call this service; it has to be in spec.auth.tokens.serviceAccounts';
const NO_KEYS =
  'This service has no API keys, so nobody can be let in; put one into the Secret of spec.auth.apiKeys.secretName';

const unauthorized = (message: string, error?: string): Refusal =>
  new Refusal(401, message, {
    'www-authenticate': `Bearer realm="slipway"${error === undefined ? '' : `, error="${error}"`}`,
  });

/** What to say for each kind of fault, with what to send instead. */
function wordsFor({ apiKeys, tokens }: AuthOptions['settings']) {
  const ways = [
    ...(apiKeys ? ['an API key as x-api-key: <key> or Authorization: Bearer <key>'] : []),
    ...(tokens
      ? [`a service account's token for the audience ${tokens.audience} as Authorization: Bearer <token>`]
      : []),
  ].join(', or ');
  return {
    none: `Credentials are missing; send ${ways}`,
    unknown: `These credentials are not known here; send ${ways}`,
    expired: `The token has expired; send ${ways}`,
    otherAudience: `The token was made for another audience; send ${ways}`,
  };
}
