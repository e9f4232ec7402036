/**
 * Retrying will not help until the object (or what it refers to) changes: the runtime records `reason` and `message`
 * as `Stalled=True` and in the kind's summary condition, and stops. Every other error is transient: logged once,
 * counted, and retried with exponential backoff.
 */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
