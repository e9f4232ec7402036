import { EXIT_TERMINAL, EXIT_UNAVAILABLE, type FailureReason } from '@slipway/contract';

/** A failure with a reason the operator knows. The message is for the user: no path, no stack, no secret. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly reason: FailureReason;
  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

const MAY_PASS: ReadonlySet<FailureReason> = new Set([
  'ObjectStorageUnavailable',
  'ObjectStorageDenied',
  'BucketMissing',
  'InternalError',
]);

/** The exit code for a reason: terminal when the model or its description is at fault, else one a retry may cure. */
export const exitCodeFor = (reason: FailureReason): number => (MAY_PASS.has(reason) ? EXIT_UNAVAILABLE : EXIT_TERMINAL);

/** Anything thrown, as a FailureError; what we did not foresee is an InternalError that says no more than its class. */
export function asFailure(error: unknown): FailureError {
  if (error instanceof FailureError) return error;
  const code = (error as NodeJS.ErrnoException)?.code;
  const what = error instanceof Error ? error.name : typeof error;
  return new FailureError(
    'InternalError',
    `unexpected ${what}${code ? ` (${code})` : ''}; the container log has more`,
    {
      cause: error,
    },
  );
}
