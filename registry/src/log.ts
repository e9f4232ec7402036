import pino, { type DestinationStream, type Logger } from 'pino';

/** Errors that were foreseen need no stack; the others are for whoever mends the program. */
const foreseen = new Set([
  'ApiError',
  'ConfigError',
  'DatabaseUnavailableError',
  'GcUsageError',
  'ObjectStoreError',
  'UsersFileError',
]);

/** Errors by type, message and (unless foreseen) stack, without the objects hung on them: those of drivers and clients hold requests. */
const plainError = (error: unknown, isCause = false): object => {
  if (!(error instanceof Error)) return { message: 'not an error' };
  const cause = error.cause instanceof Error ? { cause: plainError(error.cause, true) } : {};
  const stack = foreseen.has(error.name) || isCause ? {} : { stack: error.stack };
  return { type: error.name, message: error.message, ...stack, ...cause };
};

/** One JSON line an event on standard output; whatever is named like a credential is left out. */
export const createLog = (level: string, to: DestinationStream = pino.destination(1)): Logger =>
  pino(
    {
      level,
      base: { app: 'slipway-registry' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => plainError(error) },
      redact: {
        paths: ['authorization', '*.authorization', 'password', '*.password', 'token', '*.token'],
        censor: '[redacted]',
      },
    },
    to,
  );
