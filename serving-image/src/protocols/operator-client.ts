/** The operator's control API, as this pod asks it: with the token the kubelet keeps fresh, read at each use. */
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  OPERATOR_TOKEN_FILE,
  RUNS_PATH,
  RunAnswer,
  TRAIN_PATH,
  TrainAnswer,
  VERSION_PATH,
  VersionAnswer,
} from '@slipway/contract';
import { z } from 'zod';
import type { Logger } from '../log.ts';
import { Refusal } from '../request/refusal.ts';

export interface Operator {
  /**
   * Asks for a run with these parameters (a JSON object as text), on behalf of the trace these headers name; the same key
   * again is the same run. Throws Refusal: what
   * the operator refuses in its own words, 503 when it cannot be asked.
   */
  train(parameters: string, key: string, trace?: Readonly<Record<string, string>>): Promise<TrainAnswer>;
  /** How a run goes, once it has ended or after `waitSeconds`. Throws as `train` does, or when `signal` fires. */
  run(id: string, options: Patience): Promise<RunAnswer>;
  /** What the service asks for and how that goes, once it is settled or after `waitSeconds`. Throws as `run` does. */
  version(options: Patience & { readonly generation?: number }): Promise<VersionAnswer>;
  /** Asks for that version, whatever was sent as one. Throws as `train` does. */
  switchTo(version: unknown): Promise<VersionAnswer>;
}

export interface Patience {
  readonly waitSeconds: number;
  readonly signal?: AbortSignal;
}

const RESPOND_ASYNC = /(^|,)\s*respond-async\s*([;,]|$)/i;

/** True when the client wants to be told at once where to look (`Prefer: respond-async`, RFC 7240). */
export const wantsAsync = (headers: IncomingHttpHeaders): boolean =>
  RESPOND_ASYNC.test(String(headers['prefer'] ?? ''));

export interface OperatorOptions {
  readonly url: string;
  readonly tokenDir: string;
  readonly log: Logger;
}

/** Refusals the client can do something about; everything else is trouble between this pod and the operator. */
const PASSED_ON = new Set([403, 404, 409, 413, 422, 429]);
const ANSWER_MS = 5_000;
/** A request that did not arrive, or whose answer did not, is repeated under its key: the operator may be restarting. */
const TRIES = 3;
const PAUSE_MS = 500;

const Refused = z.object({
  detail: z.union([
    z.string(),
    z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string(), type: z.string() })).min(1),
  ]),
});

const away = (): Refusal =>
  new Refusal(503, 'This cannot be done now: the operator does not answer; try again', {
    'retry-after': '5',
  });

/** True when asking again later may help. */
export const isAway = (error: unknown): boolean => error instanceof Refusal && error.status === 503;

/** An answer is a kilobyte at most, whatever a condition or a rule has to say. */
const MOST_BYTES = 900;

/** The beginning of what the operator says, as much as an answer may carry. */
export function shortened(words: string): string {
  let most = MOST_BYTES;
  while (Buffer.byteLength(words.slice(0, most)) > MOST_BYTES) most -= 100;
  return words.length <= most ? words : `${words.slice(0, most)}…`;
}

function refusalOf(status: number, body: unknown): Refusal | undefined {
  const refused = Refused.safeParse(body).data;
  if (!refused || !PASSED_ON.has(status)) return undefined;
  const headers: Record<string, string> = status === 429 ? { 'retry-after': '1' } : {};
  const { detail } = refused;
  if (typeof detail === 'string') return new Refusal(status, shortened(detail), headers);
  const [first] = detail;
  return first && new Refusal(status, shortened(first.msg), headers, { type: first.type, loc: first.loc });
}

export function operatorAt({ url, tokenDir, log }: OperatorOptions): Operator {
  async function ask(path: string, init: RequestInit, signals: readonly AbortSignal[]): Promise<unknown> {
    const token = (await readFile(join(tokenDir, OPERATOR_TOKEN_FILE), 'utf8')).trim();
    const response = await fetch(new URL(path, url), {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.any([...signals]),
    });
    const body: unknown = await response.json();
    if (response.ok) return body;
    throw (
      refusalOf(response.status, body) ?? new Error(`the operator answered ${response.status}: ${JSON.stringify(body)}`)
    );
  }

  /** Trouble is told in the log, where somebody who can mend it looks; a client only hears that there is some. */
  async function exchange(path: string, init: RequestInit, signals: readonly AbortSignal[]): Promise<unknown> {
    try {
      return await ask(path, init, signals);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (!signals.some(({ aborted }) => aborted)) log.warn({ err: error }, 'the operator could not be asked');
      throw away();
    }
  }

  /** What may be said twice is said again when nobody answers. */
  async function insist(path: string, init: RequestInit): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      try {
        return await exchange(path, { method: 'POST', ...init }, [AbortSignal.timeout(ANSWER_MS)]);
      } catch (error) {
        if (!isAway(error) || tries === TRIES) throw error;
      }
      await sleep(PAUSE_MS);
    }
  }

  const waitFor = (path: string, { waitSeconds, signal }: Patience): Promise<unknown> =>
    exchange(path, {}, [AbortSignal.timeout(waitSeconds * 1000 + ANSWER_MS), ...(signal ? [signal] : [])]);

  return {
    async train(parameters, key, trace = {}) {
      const headers = { ...trace, 'content-type': 'application/json', 'idempotency-key': key };
      return TrainAnswer.parse(await insist(TRAIN_PATH, { headers, body: `{"parameters":${parameters}}` }));
    },

    async run(id, patience) {
      const path = `${RUNS_PATH}/${encodeURIComponent(id)}?wait=${patience.waitSeconds}`;
      return RunAnswer.parse(await waitFor(path, patience));
    },

    async version({ generation = 0, ...patience }) {
      const path = `${VERSION_PATH}?wait=${patience.waitSeconds}&generation=${generation}`;
      return VersionAnswer.parse(await waitFor(path, patience));
    },

    async switchTo(version) {
      const headers = { 'content-type': 'application/json' };
      return VersionAnswer.parse(await insist(VERSION_PATH, { headers, body: JSON.stringify({ version }) }));
    },
  };
}
