/** The registry's process. */
import { type Config, configFromEnv } from './config.ts';
import { createLog } from './log.ts';
import { serve } from './serve.ts';

async function main(): Promise<void> {
  const config: Config = configFromEnv(process.env);
  await serve(config, createLog(config.logLevel));
}

main().then(
  () => process.exit(0),
  (error) => {
    createLog('error').fatal({ err: error }, 'the registry cannot run');
    process.exit(1);
  },
);
