/**
 * Retrying will not help until the object (or what it refers to) changes: the runtime records `reason` and `message`
 * as `Stalled=True` and in the kind's summary condition, and stops. Every other error is transient: logged once,
 * counted, and retried with exponential backoff.
 */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
  readonly reason: string;
  /** Set when it may pass unseen by any watch (a quota was raised): look again after this long all the same. */
  readonly retryAfterMs: number | undefined;
  constructor(reason: string, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.reason = reason;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** The lease's deadline has passed (or it was never held): nothing was sent. The process is about to end. */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';
}
