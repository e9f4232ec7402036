/** One JSON object a line on standard output, written at once, so that nothing is lost when the process ends. */
import { writeSync } from 'node:fs';

export type Fields = Readonly<Record<string, unknown>>;
export type Level = 'info' | 'warn' | 'error';
/** The message is constant; what varies is in `fields`. */
export type Log = (level: Level, message: string, fields?: Fields) => void;

/** A log whose lines carry `stage`. */
export const createLog =
  (stage: string, write: (line: string) => void = (line) => writeSync(1, line), now = () => new Date()): Log =>
  (level, message, fields = {}) =>
    write(`${JSON.stringify({ level, time: now().toISOString(), stage, message, ...fields })}\n`);
