/** Who may reach the server, and how: credentials, https and other origins, as the settings say. */
import type { Server } from 'node:http';
import type { ServeSettings } from '@slipway/contract';
import type { Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { openAuth } from './auth.ts';
import { createCors } from './cors.ts';
import type { ServerOptions } from './options.ts';
import { openCertificate } from './tls.ts';

export interface AccessOptions {
  readonly settings: Pick<ServeSettings, 'auth' | 'cors' | 'tls'>;
  readonly apiKeysDir: string;
  readonly tokenKeysDir: string;
  readonly tlsDir: string;
  readonly requestTimeoutMs: number;
  readonly registry: Registry;
  readonly log: Logger;
  /** How often mounted files are looked at. */
  readonly everyMs?: number;
}

export interface Access {
  /** For createModelServer; empty where everybody may come, over http, from no other origin. */
  readonly options: Pick<ServerOptions, 'authorize' | 'intercept' | 'tls'>;
  /** Has the server follow what changes of its certificate. */
  follow(server: Server): void;
  stop(): void;
}

/** Throws FailureError(InvalidConfiguration), naming the cure, when keys or certificate are not there to begin with. */
export async function openAccess({ settings, registry, log, ...options }: AccessOptions): Promise<Access> {
  const { apiKeysDir, tokenKeysDir, tlsDir: dir, requestTimeoutMs: handshakeTimeoutMs } = options;
  const pace = options.everyMs === undefined ? {} : { everyMs: options.everyMs };
  const shared = { registry, log, ...pace };
  const certificate = settings.tls ? openCertificate({ dir, handshakeTimeoutMs, ...shared }) : undefined;
  const auth = settings.auth && (await openAuth({ settings: settings.auth, apiKeysDir, tokenKeysDir, ...shared }));
  return {
    options: {
      ...(auth && { authorize: auth.authorize }),
      ...(settings.cors && { intercept: createCors(settings.cors.origins) }),
      ...(certificate && { tls: certificate.options }),
    },
    follow: (server) => certificate?.follow(server),
    stop() {
      certificate?.stop();
      auth?.stop();
    },
  };
}
