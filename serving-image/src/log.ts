import { type Logger, pino } from 'pino';

export type { Logger };

/** One JSON line per event on standard output, written at once, so that nothing is lost when the process ends. */
export const createLogger = (stage: string): Logger =>
  pino(
    {
      base: { stage },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    pino.destination({ dest: 1, sync: true }),
  );
