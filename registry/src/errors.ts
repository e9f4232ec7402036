/** Every refusal has one form: a status and `{"error_code", "message"}` in MLflow's words, so that its clients understand it. */
import { DatabaseUnavailableError } from '@slipway/database';
import { ObjectStoreError } from '@slipway/object-store';

/** MLflow's error codes with the HTTP status its clients expect beside each. They retry 429 and every 5xx: a user's mistake is neither. */
const statusOf = {
  BAD_REQUEST: 400,
  INVALID_PARAMETER_VALUE: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  RESOURCE_CONFLICT: 409,
  ABORTED: 409,
  REQUEST_LIMIT_EXCEEDED: 429,
  INTERNAL_ERROR: 500,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
} as const;
export type ErrorCode = keyof typeof statusOf;

/** A refusal whose message is meant for the one who asked. `status` only where HTTP has a better word than the code's own. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;
  constructor(code: ErrorCode, message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status ?? statusOf[code];
  }
}

/** 400: a value is not what it must be. */
export const invalid = (message: string): ApiError => new ApiError('INVALID_PARAMETER_VALUE', message);
/** 404: what was named is not there. */
export const missing = (message: string): ApiError => new ApiError('RESOURCE_DOES_NOT_EXIST', message);

export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly error_code: ErrorCode; readonly message: string };
}

const answer = (code: ErrorCode, message: string, status: number = statusOf[code]): ErrorAnswer => ({
  status,
  body: { error_code: code, message },
});

/** What leaves the process for an error: of one that was not meant for users only an id, which the log carries too. */
export function answerFor(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof ApiError) return answer(error.code, error.message, error.status);
  if (error instanceof DatabaseUnavailableError)
    return answer('TEMPORARILY_UNAVAILABLE', `${error.message}. Try again in a moment.`);
  if (error instanceof ObjectStoreError && error.reason !== 'NotFound')
    return answer('TEMPORARILY_UNAVAILABLE', 'The object store does not answer as it should. Try again in a moment.');
  // Express' own refusals: a path that is not valid percent-encoding, for one.
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 400) return answer('BAD_REQUEST', 'The request could not be read: check the encoding of its path.');
  return answer('INTERNAL_ERROR', `Something went wrong here; the registry's log has it under request ${requestId}.`);
}
