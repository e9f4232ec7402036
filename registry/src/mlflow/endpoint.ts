/** What one endpoint of MLflow's REST API is to the rest: data, and a function from a parsed request to a JSON object. */
import type { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Access, Caller } from '../http/exchange.ts';
import { parseRequest } from '../http/parameters.ts';

/** For whom an endpoint works. */
export interface Call {
  readonly namespace: string;
  readonly caller: Caller;
}

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api/2.0/mlflow/`, such as `runs/create`; `{name}` stands for one segment, which joins the parameters. */
  readonly path: string;
  /** `3.0` for the few endpoints that live below `/api/3.0/mlflow/` only; `2.0` when absent. */
  readonly api?: '2.0' | '3.0';
  readonly access: Access;
  readonly answer: (call: Call, parameters: Readonly<Record<string, unknown>>) => Promise<object>;
}

interface EndpointOptions<Shape extends z.ZodType> extends Pick<Endpoint, 'method' | 'path' | 'api' | 'access'> {
  /** Parameters of query or body, made of the fields in request.ts; unknown ones are ignored. */
  readonly request: Shape;
  /**
   * Which run a write belongs to, for callers that hold the token of one run: they may go on when it is theirs. Without
   * this such a caller is refused; reading needs no run.
   */
  readonly runOf?: (call: Call, request: z.output<Shape>) => Promise<string | undefined> | string | undefined;
  readonly answer: (call: Call, request: z.output<Shape>) => Promise<object>;
}

const notYourRun = () =>
  new ApiError(
    'PERMISSION_DENIED',
    'This token belongs to one training run and may write to that run, its artifacts and what it registers only.',
  );

/** Ties the shape of the request to the function that takes it. */
export function endpoint<Shape extends z.ZodType>(options: EndpointOptions<Shape>): Endpoint {
  const { request, runOf, answer, ...rest } = options;
  return {
    ...rest,
    async answer(call, parameters) {
      const parsed = parseRequest(request, parameters);
      if (call.caller.runId !== undefined && options.access === 'write') {
        if ((await runOf?.(call, parsed)) !== call.caller.runId) throw notYourRun();
      }
      return answer(call, parsed);
    },
  };
}
