/** The only reader of status codes: what an answer of the API server, or the lack of one, means. */

interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
}

/** An answer that is not a success (`status` ≥ 400), or no usable answer at all (`status` 0). */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  /** How long the server asked to be left alone. */
  readonly retryAfterMs: number | undefined;
  constructor(status: number, reason: string, message: string, options?: ErrorOptions & { retryAfterMs?: number }) {
    super(message, options);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** The error of an HTTP answer; the body is the API server's Status object when it could write one. */
export function errorOfResponse(status: number, body: unknown, retryAfter: string | undefined): KubeError {
  const { message, reason } = (typeof body === 'object' && body !== null ? body : {}) as StatusBody;
  const seconds = Number(retryAfter);
  return new KubeError(
    status,
    typeof reason === 'string' ? reason : `Http${status}`,
    typeof message === 'string' ? message : `the API server answered ${status}`,
    retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {},
  );
}

/** No connection, a broken one, silence, or bytes that are not an answer. */
export const unreachable = (message: string, cause?: unknown): KubeError =>
  new KubeError(0, 'Unreachable', message, { cause });

const statusOf = (error: unknown): number | undefined => (error instanceof KubeError ? error.status : undefined);

export const isNotFound = (error: unknown): boolean => statusOf(error) === 404;
/** Somebody else was faster: read again and decide again. */
export const isConflict = (error: unknown): boolean => statusOf(error) === 409;
/** The resourceVersion is too old to watch from, or the list's continuation expired: list again. */
export const isGone = (error: unknown): boolean => statusOf(error) === 410;
export const isInvalid = (error: unknown): boolean => statusOf(error) === 422;
export const isForbidden = (error: unknown): boolean => statusOf(error) === 403;

/** How long the server asked to be left alone, at most five minutes; 0 when it did not ask. */
export const retryAfterMs = (error: unknown): number =>
  error instanceof KubeError ? Math.min(error.retryAfterMs ?? 0, 300_000) : 0;
