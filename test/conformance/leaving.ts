/** What has to be gone when a test ends, also when it is ended from outside: servers, clients, databases, containers. */

type Cleanup = () => unknown;

const cleanups = new Set<Cleanup>();
const LEAVING_MS = 30_000;
let isLeaving = false;

/**
 * Runs `cleanup` when a signal ends the process; the function that is returned says that there is no more need. Throws
 * when the end has begun: nothing may be started then.
 */
export function onLeaving(cleanup: Cleanup): () => void {
  if (isLeaving) {
    cleanup();
    throw new Error('the tests are being ended');
  }
  cleanups.add(cleanup);
  return () => void cleanups.delete(cleanup);
}

async function leave(): Promise<void> {
  // The runner may ask more than once.
  if (isLeaving) return;
  isLeaving = true;
  // The runner has gone already, and with it the reader of what is printed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  setTimeout(() => process.exit(1), LEAVING_MS).unref();
  // The newest first, one after the other: servers go before the databases they are connected to.
  for (const cleanup of [...cleanups].reverse()) {
    try {
      await cleanup();
    } catch (error) {
      console.error(`# not cleaned up: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  process.exit(1);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void leave());
