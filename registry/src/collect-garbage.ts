/** `gc`, once, on the stores the settings name. */
import { connect, openGarbageRows } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { gcCommand, gcOptions } from './gc/command.ts';

/** Throws when an argument is wrong, and when a store is away: what was taken by then is taken. */
export async function collectGarbage(config: Config, args: readonly string[], log: Logger): Promise<void> {
  const options = gcOptions(args, process.env);
  const pool = connect(config.postgres, {
    applicationName: 'slipway-registry-gc',
    onIdleError: (error) => log.warn({ err: error }, 'idle database connection lost'),
  });
  const write = (stream: NodeJS.WriteStream) => (line: string) => void stream.write(`${line}\n`);
  try {
    await gcCommand(
      {
        store: openObjectStore(config.objectStorage),
        rows: openGarbageRows(pool),
        now: Date.now,
        print: write(process.stdout),
        say: write(process.stderr),
      },
      options,
    );
  } finally {
    await pool.end();
  }
}
