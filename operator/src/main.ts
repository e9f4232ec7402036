/** The operator's process: `main` runs it, `main uninstall` lets go of every object before the release goes. */
import { ConfigError, configFromEnv } from './config.ts';
import { loadKubeConfig } from './kube/kubeconfig.ts';
import { openTransport } from './kube/transport.ts';
import { createLog } from './log.ts';
import { runOperator } from './operator.ts';
import { UninstallSettings, uninstall } from './uninstall.ts';

const EXIT_LOST = 1;
const EXIT_CONFIG = 2;

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

async function serve(): Promise<void> {
  const config = configFromEnv(process.env);
  const log = createLog(config.logLevel, { component: 'operator', pod: config.podName });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      stop.abort();
    });
  }
  process.on('unhandledRejection', (error) => {
    log.error({ error }, 'a fault of this program');
    process.exit(EXIT_LOST);
  });
  log.info({ namespaces: config.watchNamespaces, leaderElection: config.leaderElection }, 'starting');
  const ending = await runOperator(config, log, stop.signal);
  if (ending.stopped) {
    log.info({}, 'stopped');
    process.exit(0);
  }
  log.error({ reason: ending.reason }, 'leadership lost');
  process.exit(EXIT_LOST);
}

async function release(): Promise<void> {
  const settings = UninstallSettings.safeParse(process.env);
  if (!settings.success) {
    const wrong = settings.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`);
    fail(EXIT_CONFIG, `uninstall: wrong or missing environment variables: ${wrong.join(', ')}`);
  }
  const api = openTransport(loadKubeConfig(), { userAgent: 'slipway-uninstall' });
  await uninstall({ api, say: (message) => process.stdout.write(`${message}\n`) }, settings.data);
  process.exit(0);
}

const commands = { '': serve, uninstall: release };
const wanted = process.argv[2] ?? '';
const command = commands[wanted as keyof typeof commands];
if (!command) fail(EXIT_CONFIG, `unknown command ${wanted}: leave it out to run the operator, or say uninstall`);
command().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  fail(error instanceof ConfigError ? EXIT_CONFIG : EXIT_LOST, message);
});
