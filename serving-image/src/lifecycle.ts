/** What every process of ours that answers over HTTP does: it listens, says why it cannot, and hears that it is to stop. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { ServeConfig } from './config.ts';
import { FailureError } from './failure.ts';
import type { Logger } from './log.ts';
import { type Operator, operatorAt } from './protocols/operator-client.ts';

/** Resolves at the first SIGTERM or SIGINT; those that follow change nothing. */
export function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(undefined));
  });
}

/** Fires `ms` after the signal to stop: whoever waits for a run is answered before connections are cut. */
export function afterStop(stopped: Promise<undefined>, ms: number): AbortSignal {
  const late = new AbortController();
  void stopped.then(() => setTimeout(() => late.abort(), ms).unref());
  return late.signal;
}

/** Who is asked for runs and versions; undefined when this process may not ask. */
export function operatorFor(
  { OPERATOR_URL: url, OPERATOR_TOKEN_DIR: tokenDir }: Pick<ServeConfig, 'OPERATOR_URL' | 'OPERATOR_TOKEN_DIR'>,
  log: Logger,
): Operator | undefined {
  return url === undefined ? undefined : operatorAt({ url, tokenDir, log });
}

/** Resolves when connections are taken. Throws FailureError(InvalidConfiguration) naming the cure. */
export async function listen(server: Server, { HOST, PORT }: Pick<ServeConfig, 'HOST' | 'PORT'>): Promise<void> {
  server.listen({ port: PORT, ...(HOST !== undefined && { host: HOST }) });
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const cure = LISTEN_CURES[error.code ?? ''];
    if (cure === undefined) throw error;
    const where = `${HOST ?? 'every address'}, port ${PORT}`;
    throw new FailureError('InvalidConfiguration', `cannot listen at ${where} (${error.code}): ${cure}`, {
      cause: error,
    });
  });
}

/** What keeps a server from listening, and what to do about it. */
const LISTEN_CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it; choose another port',
  EACCES: 'this user may not have it; choose a port from 1024 on',
  EADDRNOTAVAIL: 'choose an address of this machine, or 0.0.0.0 for every one',
  ENOTFOUND: 'choose an address of this machine, or 0.0.0.0 for every one',
};
