/** The name a request has in answers and in logs: its sender's, or one that nobody else gives. */
import { randomBytes } from 'node:crypto';

const SANE_ID = /^[\w.:=+/-]{1,128}$/;

/** Nobody else's ids begin like this process's. */
const ID_PREFIX = `${randomBytes(8).toString('hex')}-`;
let ids = 0;

/** `given` is the header `x-request-id`; what could not be written into a log line is replaced. */
export const requestIdOf = (given: string | string[] | undefined): string =>
  typeof given === 'string' && SANE_ID.test(given) ? given : ID_PREFIX + ++ids;
