/** The registry's process: it serves, or, asked for `gc`, collects garbage once. */
import { ConfigError, configFromEnv } from './config.ts';
import { createLog } from './log.ts';

const [command, ...args] = process.argv.slice(2);

async function main(): Promise<void> {
  if (command !== undefined && command !== 'gc')
    throw new ConfigError(`there is no command ${command}: without one the registry serves, gc collects garbage`);
  const config = configFromEnv(process.env);
  const log = createLog(config.logLevel);
  if (command === 'gc') {
    const { collectGarbage } = await import('./collect-garbage.ts');
    return collectGarbage(config, args, log);
  }
  const { serve } = await import('./serve.ts');
  return serve(config, log);
}

main().then(
  () => process.exit(0),
  (error) => {
    createLog('error').fatal(
      { err: error },
      command === 'gc' ? 'garbage was not collected' : 'the registry cannot run',
    );
    process.exit(1);
  },
);
