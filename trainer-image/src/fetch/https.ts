/**
 * An https:// input: from an allowed host, at an address that may be connected to, over redirects that keep to both. The
 * address that was checked is the one that is connected to: the name is not resolved a second time.
 */
import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { FailureError } from '../failure.ts';
import { AwayError } from '../persist.ts';
import type { MayConnect } from './addresses.ts';
import { allowedUrl, shownUri } from './locate.ts';

export interface Web {
  readonly httpsHosts: readonly string[];
  readonly mayConnect: MayConnect;
  /** How long a server may be silent, before it answers and in between. Default: 30 s. */
  readonly silenceMs?: number;
  /** Certificates that are trusted instead of the usual ones. */
  readonly ca?: string;
  /** All addresses of a host. Default: as the system resolves it. */
  readonly resolve?: (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
}

/** As much as the volume of the inputs may hold. */
export const MOST_BYTES = 10 * 1024 ** 3;
const MOST_REDIRECTS = 3;
const SILENCE_MS = 30_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAY_PASS = new Set([408, 425, 429]);

const systemResolve = (host: string) => lookup(host, { all: true, verbatim: true });

const notAllowed = (message: string, cause?: unknown) => new FailureError('InputUriNotAllowed', message, { cause });
const away = (message: string, cause?: unknown) =>
  new AwayError(new FailureError('InputUnavailable', `${message}; it is tried again later`, { cause }), { cause });

/** Throws InputUriNotAllowed when any address of the host may not be connected to: the next answer could be that one. */
function checkAddresses(host: string, addresses: readonly string[], mayConnect: MayConnect): void {
  if (addresses.every((address) => mayConnect(address))) return;
  throw notAllowed(
    `host ${host} is not at a public address: expected one, because pods must not reach the cluster's inside this way; ` +
      "the chart's value trainer.httpsInputCidrs opens the range of an internal mirror",
  );
}

/** Resolves a name to addresses that were all checked. */
const checkedLookup =
  ({ mayConnect, resolve = systemResolve }: Web): LookupFunction =>
  (host, options, done) => {
    resolve(host)
      .then((found) => {
        checkAddresses(
          host,
          found.map(({ address }) => address),
          mayConnect,
        );
        const [first] = found;
        if (!first) throw away(`host ${host} has no address`);
        if (options.all) done(null, [...found]);
        else done(null, first.address, first.family);
      })
      .catch((error) => done(error, '', 0));
  };

/** Certificates are a matter for people; all else may pass. */
const isUntrusted = (code: string): boolean =>
  /^(ERR_TLS_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code) || code.includes('CERTIFICATE');

/** The disk of this pod, and nothing of the server's. */
const OURS = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EISDIR', 'EIO']);

function problemOf(url: URL, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (error instanceof FailureError || error instanceof AwayError || OURS.has(code)) return error;
  if (isUntrusted(code)) return notAllowed(`${url.host} has no certificate that is trusted (${code})`, error);
  return away(`${url.host} did not answer (${code || (error as Error).message})`, error);
}

function ask(url: URL, web: Web): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) checkAddresses(host, [host], web.mayConnect);
  const { silenceMs = SILENCE_MS } = web;
  const options: RequestOptions = {
    lookup: checkedLookup(web),
    agent: false,
    timeout: silenceMs,
    headers: { 'user-agent': 'slipway-fetch', 'accept-encoding': 'identity' },
    ...(web.ca !== undefined && { ca: web.ca }),
  };
  return new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(url, options, resolve);
    asked.on('timeout', () => asked.destroy(away(`${url.host} was silent for ${silenceMs / 1000} s`)));
    asked.on('error', (error) => reject(problemOf(url, error)));
    asked.end();
  });
}

function checkStatus(url: URL, { statusCode = 0 }: IncomingMessage): void {
  if (statusCode === 200) return;
  const answered = `${shownUri(url.href)} answered with status ${statusCode}`;
  if (MAY_PASS.has(statusCode) || statusCode >= 500) throw away(answered);
  throw new FailureError('InputNotFound', `${answered}: expected 200; correct the address, or make it readable`);
}

function checkLength(url: URL, { headers }: IncomingMessage): void {
  const length = Number(headers['content-length'] ?? 0);
  if (length <= MOST_BYTES) return;
  throw new FailureError('InputNotFound', `${shownUri(url.href)} has ${length} bytes: expected at most ${MOST_BYTES}`);
}

/** Where a redirect leads; undefined when the answer is none. */
function target(url: URL, { statusCode = 0, headers }: IncomingMessage): string | undefined {
  if (!REDIRECTS.has(statusCode)) return undefined;
  const { location } = headers;
  if (location !== undefined && URL.canParse(location, url.href)) return new URL(location, url).href;
  throw new FailureError('InputNotFound', `${shownUri(url.href)} redirects to nowhere (status ${statusCode})`);
}

/** The body of the answer; it fails, rather than ends, when the connection breaks or stalls. Throws FailureError or AwayError. */
export async function openWeb(start: URL, web: Web): Promise<IncomingMessage> {
  let url = start;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await ask(url, web);
    try {
      const next = target(url, answer);
      if (next === undefined) {
        checkStatus(url, answer);
        checkLength(url, answer);
        return answer;
      }
      url = allowedUrl(next, web.httpsHosts);
    } catch (error) {
      answer.destroy();
      throw error;
    }
    answer.destroy();
  }
  throw new FailureError('InputNotFound', `${shownUri(start.href)} redirects more than ${MOST_REDIRECTS} times`);
}

/** An error that broke the body off, as `openWeb` would have told it. */
export const brokenOff = problemOf;
