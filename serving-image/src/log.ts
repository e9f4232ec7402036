import { type Logger, pino } from 'pino';

export type { Logger };

type WriteLine = (line: string) => unknown;

const standardOutput = pino.destination({ dest: 1, sync: true });
let write: WriteLine = (line) => standardOutput.write(line);

/** Hands every line of every logger to `to` from here on. */
export const redirectLogs = (to: WriteLine): void => {
  write = to;
};

/** One JSON line per event on standard output, written at once, so that nothing is lost when the process ends. */
export const createLogger = (stage: string): Logger =>
  pino(
    {
      base: { stage },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line) => void write(line) },
  );
