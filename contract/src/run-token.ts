/**
 * The token by which a training container writes to its own run and nothing else. It is computed, not stored: operator and
 * registry share a key, and whether the run still goes on is asked of its row each time.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const PREFIX = 'slipway-run';
const FORM = /^slipway-run\.([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})$/;

export interface RunTokenSubject {
  readonly namespace: string;
  readonly runId: string;
}

const signatureOf = (key: string, { namespace, runId }: RunTokenSubject): string =>
  createHmac('sha256', key).update(`${PREFIX}.${namespace}.${runId}`).digest('base64url');

/** The token of a run, `slipway-run.<namespace>.<runId>.<signature>`; the same for the same key and run. */
export const runTokenFor = (key: string, subject: RunTokenSubject): string =>
  `${PREFIX}.${subject.namespace}.${subject.runId}.${signatureOf(key, subject)}`;

/** True when a token claims to be one of a run, whether or not it is. */
export const looksLikeRunToken = (token: string): boolean => token.startsWith(`${PREFIX}.`);

/** Whose token this is; undefined when `key` did not sign it. Says nothing about whether that run goes on. */
export function runTokenSubject(key: string, token: string): RunTokenSubject | undefined {
  const [, namespace = '', runId = '', signature = ''] = FORM.exec(token) ?? [];
  if (signature === '') return undefined;
  const expected = Buffer.from(signatureOf(key, { namespace, runId }));
  return timingSafeEqual(expected, Buffer.from(signature)) ? { namespace, runId } : undefined;
}
