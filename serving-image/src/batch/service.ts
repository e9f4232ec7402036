/** The service that predicts, as a batch asks it: one request a chunk, patient while the service is busy or away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ColumnType } from '@slipway/contract';
import { z } from 'zod';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import type { Row } from './rows.ts';

export interface Feature {
  readonly name: string;
  readonly type: ColumnType;
}

/** What the service serves now. */
export interface ServedModel {
  readonly model: string;
  readonly version: string;
  readonly digest: string;
  readonly features: readonly Feature[];
}

/** Of one row: what goes into the output beside the row's own columns. */
export type Outcome = Readonly<Record<string, unknown>>;

/** The first row the model refuses, and why. */
export interface RefusedRow {
  readonly row: number;
  readonly reason: string;
}

export interface Predicted {
  readonly version: string;
  readonly digest: string;
  readonly outcomes: readonly Outcome[];
}

export interface BatchService {
  describe(): Promise<ServedModel>;
  /** In the order of the rows, or the first row that is refused. Throws FailureError when the service refuses the whole. */
  predict(rows: readonly Row[], probabilities: boolean): Promise<Predicted | RefusedRow>;
}

export interface ServiceOptions {
  readonly url: string;
  /** The key, or the token of a service account, as it is now: tokens are renewed while a long batch goes on. */
  readonly credential?: (() => Promise<string>) | undefined;
  readonly log: Pick<Logger, 'warn'>;
  /** For how long a service that does not answer is asked again. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 15 * 60_000;
const ANSWER_MS = 120_000;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;
const PASSING = new Set([429, 502, 503, 504]);

const Models = z.object({ models: z.array(z.string()).min(1) });
const Metadata = z.object({
  parameters: z.object({ features: z.array(z.object({ name: z.string(), type: ColumnType })) }),
});
const Classes = z.object({
  class_id: z.array(z.union([z.number(), z.null()])),
  class_label: z.array(z.string()),
  probabilities: z.array(z.unknown()).optional(),
});
const Values = z.object({ prediction: z.array(z.unknown()) });
const Refusal = z.object({
  detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string() })).min(1),
});

interface Answered {
  readonly response: Response;
  readonly body: unknown;
}

export function batchService({ url, credential, log, patienceMs = PATIENCE_MS }: ServiceOptions): BatchService {
  const refused = ({ status }: Response, body: unknown): FailureError => {
    const cure =
      status === 401 || status === 403
        ? '; --api-key-file has to name a file with a key or token the service takes'
        : '';
    const words = JSON.stringify(body)?.slice(0, 300) ?? 'nothing';
    return new FailureError('InvalidConfiguration', `the service ${url} answered ${status}: ${words}${cure}`);
  };

  /** The answer as it has to be. Throws InvalidConfiguration for any other: not everything that answers is a service. */
  function said<T>(schema: z.ZodType<T>, { response, body }: Answered): T {
    const parsed = response.ok ? schema.safeParse(body).data : undefined;
    if (parsed === undefined) throw refused(response, body);
    return parsed;
  }

  /** The answer, once there is one that is not about being busy or away. */
  async function ask(path: string, init: RequestInit = {}): Promise<Answered> {
    const deadline = performance.now() + patienceMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      const why = await attempt(path, init).catch((error: Error) => error.cause ?? error);
      if (typeof why === 'object' && why !== null && 'response' in why) return why as never;
      if (performance.now() + pause > deadline) {
        throw new FailureError(
          'InputUnavailable',
          `the service ${url} does not answer: ${wordsFor(why)}; see kubectl get infsvc`,
        );
      }
      log.warn({ path, why: wordsFor(why), pauseMs: pause }, 'the service is busy or away, asking again');
      await sleep(pause);
    }
  }

  async function attempt(path: string, init: RequestInit) {
    const headers = {
      'content-type': 'application/json',
      ...(credential && { authorization: `Bearer ${await credential()}` }),
    };
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(new URL(path, url), { ...init, headers, redirect: 'manual', signal });
    const text = await response.text();
    if (PASSING.has(response.status)) throw new Error(`status ${response.status}`);
    return { response, body: parsed(text) };
  }

  return {
    async describe() {
      const listed = await ask('/v2/models');
      const [model] = said(Models, listed).models as [string];
      const described = await ask(`/v2/models/${encodeURIComponent(model)}`);
      const { parameters } = said(Metadata, described);
      return { model, ...identityOf(described.response), features: parameters.features };
    },

    async predict(rows, probabilities) {
      const query = probabilities ? '?probabilities=true' : '';
      const init = { method: 'POST', body: JSON.stringify({ samples: rows }) };
      const { response, body } = await ask(`/predict${query}`, init);
      if (response.ok) return { ...identityOf(response), outcomes: outcomesIn(body, rows.length) };
      const row = refusedRow(body);
      if (row) return row;
      throw refused(response, body);
    },
  };
}

const wordsFor = (why: unknown): string => (why instanceof Error ? why.message : String(why)).slice(0, 200);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const identityOf = ({ headers }: Response): { version: string; digest: string } => ({
  version: headers.get('x-model-version') ?? '',
  digest: headers.get('x-artifact-sha256') ?? '',
});

function outcomesIn(body: unknown, count: number): readonly Outcome[] {
  const classes = Classes.safeParse(body).data;
  const values = classes ? undefined : Values.safeParse(body).data;
  const outcomes: readonly Outcome[] = classes
    ? classes.class_label.map((label, i) => ({
        prediction: classes.class_id[i],
        label,
        ...(classes.probabilities && { probabilities: classes.probabilities[i] }),
      }))
    : (values?.prediction ?? []).map((prediction) => ({ prediction }));
  if (outcomes.length === count) return outcomes;
  throw new FailureError('InternalError', `the service answered ${outcomes.length} predictions for ${count} rows`);
}

/** `["body","samples",3,"sepal_length"]` names the row; a refusal of the whole names none. */
function refusedRow(body: unknown): RefusedRow | undefined {
  const fault = Refusal.safeParse(body).data?.detail[0];
  const row = fault?.loc[2];
  if (fault?.loc[1] !== 'samples' || typeof row !== 'number') return undefined;
  const field = fault.loc[3];
  return { row, reason: `${field === undefined ? '' : `${field}: `}${fault.msg}` };
}
