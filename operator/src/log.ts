/** One JSON object per line on standard output: a constant message, variable fields. */
import { type Logger as Pino, pino } from 'pino';

interface Described {
  readonly type: string;
  readonly message: string;
  readonly reason?: unknown;
  readonly status?: unknown;
  readonly code?: unknown;
  readonly cause?: Described;
  readonly stack?: string;
}

/** Errors that were foreseen need no stack; the others are for whoever mends the program. */
const foreseen = new Set([
  'KubeError',
  'TerminalError',
  'UnreadableObjectError',
  'NotLeadingError',
  'DatabaseUnavailableError',
  'RoleDeniedError',
  'StaleLeaderError',
  'TenantConflictError',
  'UnclaimedNamespaceError',
  'ObjectStoreError',
]);

function describe(error: unknown, depth = 0): Described {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name, message, cause, stack } = error;
  const { reason, status, code } = error as { reason?: unknown; status?: unknown; code?: unknown };
  return {
    type: name,
    message,
    ...(reason === undefined ? {} : { reason }),
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined || depth > 2 ? {} : { cause: describe(cause, depth + 1) }),
    ...(foreseen.has(name) || depth > 0 || stack === undefined ? {} : { stack }),
  };
}

const secret = ['password', 'secretKey', 'sessionToken', 'token', 'installKey', 'accessKey'];

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields that are known to hold secrets are never printed, wherever they turn up to three levels deep. */
export const createLog = (level: LogLevel, bindings: object, destination?: { write(line: string): void }): Pino =>
  pino(
    {
      level,
      base: bindings,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: (error: unknown) => describe(error) },
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    },
    destination ?? pino.destination({ sync: true }),
  );
