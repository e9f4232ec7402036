/** `kubectl port-forward`, held open for as long as a test needs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface PortForward {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Forwards a free local port to `target` (`svc/iris`, `pod/x`) and resolves when it listens. */
export async function portForward(namespace: string, target: string, port: number): Promise<PortForward> {
  const child = spawn('kubectl', ['port-forward', '-n', namespace, target, `:${port}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const local = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += chunk;
      const match = /127\.0\.0\.1:(\d+)/.exec(said);
      if (match) resolve(match[1] as string);
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    child.once('exit', () => reject(new Error(`kubectl port-forward ${target} -n ${namespace}: ${said}`)));
  });
  return {
    url: `http://127.0.0.1:${local}`,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
}

/** Forwards, hands the URL to `use`, and stops again whatever happens. */
export async function withPortForward<T>(
  namespace: string,
  target: string,
  port: number,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const forward = await portForward(namespace, target, port);
  try {
    return await use(forward.url);
  } finally {
    await forward.stop();
  }
}
