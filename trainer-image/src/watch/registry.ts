/** The little of MLflow's REST that carries a run's live metrics and progress. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LivePoint } from './points.ts';

export interface Batch {
  readonly metrics: readonly LivePoint[];
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

/** `refused`: repeating cannot help. `away`: it may. */
export type Answer = 'taken' | 'refused' | 'away';
export type Post = (batch: Batch, signal: AbortSignal) => Promise<Answer>;

export interface RegistryAccess {
  /** As MLFLOW_TRACKING_URI has it. */
  readonly uri: string;
  readonly runId: string;
  readonly token?: string;
}

const TIMEOUT_MS = 10_000;
const REFUSED = new Set([400, 413, 422]);

const answerFor = (status: number): Answer => {
  if (status === 200) return 'taken';
  return REFUSED.has(status) ? 'refused' : 'away';
};

/** Posts batches to one run, over one connection. Never throws. */
export function postTo({ uri, runId, token }: RegistryAccess): Post {
  const url = new URL(`${uri.replace(/\/+$/, '')}/api/2.0/mlflow/runs/log-batch`);
  const isTls = url.protocol === 'https:';
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const headers = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  return (batch, signal) => {
    const body = JSON.stringify({ run_id: runId, ...batch });
    return new Promise((resolve) => {
      const options = { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } };
      const asked = (isTls ? httpsRequest : httpRequest)(
        url,
        { ...options, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) },
        (response) => {
          response.on('error', () => resolve('away')).on('end', () => resolve(answerFor(response.statusCode ?? 0)));
          response.resume();
        },
      );
      asked.on('error', () => resolve('away'));
      asked.end(body);
    });
  };
}
