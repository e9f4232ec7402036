import { EXIT_TERMINAL, EXIT_UNAVAILABLE, type FailureReason } from '@slipway/contract';

/** A failure with a reason the operator knows. The message is for the user: what was got, what was expected, what to do. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly reason: FailureReason;
  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

const EXIT_UNEXPECTED = 1;

const AWAY: ReadonlySet<FailureReason> = new Set([
  'InputUnavailable',
  'ObjectStorageUnavailable',
  'ObjectStorageDenied',
  'BucketMissing',
  'PostgresUnavailable',
]);

/** Terminal when data, parameters or model are at fault; another code when trying again may help. */
export function exitCodeFor(reason: FailureReason): number {
  if (reason === 'InternalError') return EXIT_UNEXPECTED;
  return AWAY.has(reason) ? EXIT_UNAVAILABLE : EXIT_TERMINAL;
}

/** Anything thrown, as a FailureError; what we did not foresee is an InternalError that says no more than its class. */
export function asFailure(error: unknown): FailureError {
  if (error instanceof FailureError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const what = error instanceof Error ? error.name : typeof error;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  return new FailureError('InternalError', `unexpected ${what}${detail}; the container's log has more`, {
    cause: error,
  });
}

/** A value as it may stand in a message: JSON, at most `length` characters of it. */
export function quoted(value: string, length = 80): string {
  const text = JSON.stringify(value);
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

/** At most 20 names, for "expected one of". */
export const listed = (names: readonly string[]): string =>
  names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')} and ${names.length - 20} more`;
