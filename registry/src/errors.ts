/** Every refusal has one form: a status and `{"error_code", "message"}` in MLflow's words, so that its clients understand it. */
import { DatabaseUnavailableError } from '@slipway/database';

export type ErrorCode =
  | 'BAD_REQUEST'
  | 'INVALID_PARAMETER_VALUE'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_DOES_NOT_EXIST'
  | 'ENDPOINT_NOT_FOUND'
  | 'TEMPORARILY_UNAVAILABLE'
  | 'INTERNAL_ERROR';

const statusOf: Record<ErrorCode, number> = {
  BAD_REQUEST: 400,
  INVALID_PARAMETER_VALUE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  TEMPORARILY_UNAVAILABLE: 503,
  INTERNAL_ERROR: 500,
};

/** A refusal whose message is meant for the one who asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly error_code: ErrorCode; readonly message: string };
}

const answer = (code: ErrorCode, message: string): ErrorAnswer => ({
  status: statusOf[code],
  body: { error_code: code, message },
});

/** What leaves the process for an error: of one that was not meant for users only an id, which the log carries too. */
export function answerFor(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof ApiError) return answer(error.code, error.message);
  if (error instanceof DatabaseUnavailableError)
    return answer('TEMPORARILY_UNAVAILABLE', `${error.message}. Try again in a moment.`);
  // Express' own refusals: a path that is not valid percent-encoding, for one.
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 400) return answer('BAD_REQUEST', 'The request could not be read: check the encoding of its path.');
  return answer('INTERNAL_ERROR', `Something went wrong here; the registry's log has it under request ${requestId}.`);
}
