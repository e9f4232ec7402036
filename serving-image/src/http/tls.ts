/** The certificate the server shows: read from a mounted Secret, and again whenever that changes. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Server } from 'node:http';
import type { ServerOptions } from 'node:https';
import { createSecureContext, type Server as SecureServer } from 'node:tls';
import { TLS_CERTIFICATE_FILE, TLS_KEY_FILE } from '@slipway/contract';
import { Counter, Gauge, type Registry } from 'prom-client';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { followMounted, readMounted } from './mounted.ts';

const LEAST_VERSION = 'TLSv1.2';
const CURE =
  'the Secret of spec.tls.secretName has to be of type kubernetes.io/tls, with a certificate in tls.crt and its key in tls.key';

export interface CertificateOptions {
  /** Where the Secret is mounted. */
  readonly dir: string;
  /** A client that has not finished its handshake by then is let go. */
  readonly handshakeTimeoutMs: number;
  readonly registry: Registry;
  readonly log: Logger;
  readonly everyMs?: number;
}

export interface Certificate {
  /** What an https server is made with. */
  readonly options: ServerOptions;
  /** Has the server show what the Secret holds from then on. Connections that stand are not touched. */
  follow(server: Server): void;
  stop(): void;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
  /** Of the certificate that is shown, which is the first of its chain. */
  readonly expires: Date;
}

/** Throws an Error whose message says what is wrong with the pair, and nothing of the key. */
function pairIn(files: ReadonlyMap<string, string>): Pair {
  const cert = files.get(TLS_CERTIFICATE_FILE);
  const key = files.get(TLS_KEY_FILE);
  if (!cert || !key) throw new Error(`${cert ? TLS_KEY_FILE : TLS_CERTIFICATE_FILE} is missing`);
  const shown = attempt(() => new X509Certificate(cert), `${TLS_CERTIFICATE_FILE} is no PEM certificate`);
  const secret = attempt(() => createPrivateKey(key), `${TLS_KEY_FILE} is no PEM private key without a passphrase`);
  if (!shown.checkPrivateKey(secret)) throw new Error(`${TLS_KEY_FILE} is not the key of ${TLS_CERTIFICATE_FILE}`);
  attempt(
    () => createSecureContext({ cert, key, minVersion: LEAST_VERSION }),
    `${TLS_CERTIFICATE_FILE} and ${TLS_KEY_FILE} cannot be used: too weak, or the chain is broken`,
  );
  return { cert, key, expires: shown.validToDate };
}

function attempt<T>(read: () => T, problem: string): T {
  try {
    return read();
  } catch {
    // What OpenSSL says names no cure, and may quote what it has read.
    throw new Error(problem);
  }
}

/** Throws FailureError(InvalidConfiguration) when there is no pair that can be used. */
export function openCertificate({ dir, handshakeTimeoutMs, registry, log, everyMs }: CertificateOptions): Certificate {
  const expiry = new Gauge({
    name: 'slipway_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that is shown expires, in Unix time.',
    registers: [registry],
  });
  const failures = new Counter({
    name: 'slipway_tls_reload_failures_total',
    help: 'Changes of the certificate that could not be used: the one before is still shown.',
    registers: [registry],
  });
  const tell = ({ expires }: Pair): void => {
    expiry.set(expires.getTime() / 1000);
    const fields = { expires: expires.toISOString() };
    if (expires.getTime() < Date.now()) log.warn(fields, 'the certificate has expired: clients will refuse it');
    else log.info(fields, 'certificate read');
  };
  const { pair: first, mark } = firstPair(dir);
  tell(first);
  let stop = (): void => {};
  return {
    options: { cert: first.cert, key: first.key, minVersion: LEAST_VERSION, handshakeTimeout: handshakeTimeoutMs },
    follow(server) {
      const renewed = server as unknown as SecureServer;
      let shown = first;
      const show = (files: ReadonlyMap<string, string>): void => {
        const pair = pairIn(files);
        if (pair.cert === shown.cert && pair.key === shown.key) return;
        renewed.setSecureContext({ cert: pair.cert, key: pair.key, minVersion: LEAST_VERSION });
        shown = pair;
        tell(pair);
      };
      const onError = (error: unknown): void => {
        failures.inc();
        log.error(
          { problem: messageOf(error) },
          `the new certificate cannot be used, the old one is still shown: ${CURE}`,
        );
      };
      stop = followMounted(dir, { since: mark, onChange: show, onError, ...(everyMs !== undefined && { everyMs }) });
    },
    stop: () => stop(),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function firstPair(dir: string): { pair: Pair; mark: string } {
  try {
    const { files, mark } = readMounted(dir);
    return { pair: pairIn(files), mark };
  } catch (error) {
    throw new FailureError('InvalidConfiguration', `${messageOf(error)}: ${CURE}`);
  }
}
