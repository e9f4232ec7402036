/**
 * Tells an MLflow server elsewhere of a run, by MLflow's own REST. The run is found again by its key, so that a second
 * attempt adds no second run. That server is a stranger's: nothing of ours waits for it for long, or fails because of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../log.ts';
import type { Points } from './metrics.ts';

export interface ExternalRun {
  readonly experiment: string;
  readonly runKey: string;
  readonly trainingJob: string;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly endTime: number;
  readonly params: Readonly<Record<string, string>>;
  readonly metrics: Points;
}

/** The tag by which the run is found again. */
export const RUN_KEY_TAG = 'slipway.runKey';
const PATIENCE_MS = 30_000;
const PAUSE_MS = 1000;
const LONGEST_ANSWER = 1024 * 1024;
/** As many as MLflow takes at once. */
const MOST_PARAMS = 100;
const MOST_METRICS = 1000;

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LONGEST_ANSWER) throw new Error(`its answer has more than ${LONGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

type Call = <T>(method: 'GET' | 'POST', path: string, body: object, schema: z.ZodType<T>) => Promise<T>;

const callsTo =
  (uri: string, signal: AbortSignal): Call =>
  async (method, path, body, schema) => {
    const query = method === 'GET' ? `?${new URLSearchParams(body as Record<string, string>)}` : '';
    const response = await fetch(`${uri.replace(/\/+$/, '')}/api/2.0/mlflow/${path}${query}`, {
      ...{ method, signal, redirect: 'error', headers: { 'content-type': 'application/json' } },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
    });
    const text = await textOf(response);
    if (!response.ok) throw new Refused(response.status, `${path} answered ${response.status}: ${text.slice(0, 300)}`);
    return schema.parse(JSON.parse(text));
  };

const Experiment = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const Created = z.object({ experiment_id: z.string() });
const Run = z.object({ info: z.object({ run_id: z.string() }) });

async function experimentId(call: Call, name: string): Promise<string> {
  const find = async () =>
    (await call('GET', 'experiments/get-by-name', { experiment_name: name }, Experiment)).experiment;
  try {
    return (await find()).experiment_id;
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
  }
  try {
    return (await call('POST', 'experiments/create', { name }, Created)).experiment_id;
  } catch (error) {
    // Somebody else was quicker.
    if (!(error instanceof Refused) || error.status !== 400) throw error;
    return (await find()).experiment_id;
  }
}

async function runId(call: Call, experiment: string, run: ExternalRun): Promise<string> {
  const filter = `tags.\`${RUN_KEY_TAG}\` = '${run.runKey.replaceAll("'", '')}'`;
  const search = { experiment_ids: [experiment], filter, max_results: 1 };
  const { runs = [] } = await call('POST', 'runs/search', search, z.object({ runs: z.array(Run).exactOptional() }));
  if (runs[0]) return runs[0].info.run_id;
  const tags = [
    { key: RUN_KEY_TAG, value: run.runKey },
    { key: 'slipway.trainingJob', value: run.trainingJob },
  ];
  const made = { experiment_id: experiment, start_time: run.startTime, run_name: run.trainingJob, tags };
  return (await call('POST', 'runs/create', made, z.object({ run: Run }))).run.info.run_id;
}

function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

async function tell(call: Call, run: ExternalRun): Promise<void> {
  const run_id = await runId(call, await experimentId(call, run.experiment), run);
  const nothing = z.object({});
  const params = Object.entries(run.params).map(([key, value]) => ({ key, value }));
  for (const some of slices(params, MOST_PARAMS))
    await call('POST', 'runs/log-batch', { run_id, params: some }, nothing);
  for (const some of slices(run.metrics, MOST_METRICS)) {
    await call('POST', 'runs/log-batch', { run_id, metrics: some }, nothing);
  }
  await call('POST', 'runs/update', { run_id, status: 'FINISHED', end_time: run.endTime }, nothing);
}

const mayPass = (error: unknown): boolean => !(error instanceof Refused) || error.status >= 500 || error.status === 429;

const wordsFor = ({ message, cause }: Error): string =>
  cause instanceof Error ? `${message}: ${cause.message}` : message;

/** `tell`, again and again until the time is over. Resolves whatever happens; the log says what did. */
export async function tellExternal(uri: string, run: ExternalRun, log: Log, patienceMs = PATIENCE_MS): Promise<void> {
  const signal = AbortSignal.timeout(patienceMs);
  const call = callsTo(uri, signal);
  let why: string | undefined;
  for (;;) {
    try {
      await tell(call, run);
      log('info', 'the tracking server elsewhere was told', { uri });
      return;
    } catch (error) {
      // That the time is over says less than what went wrong before.
      if (!signal.aborted || why === undefined) why = wordsFor(error as Error);
      if (signal.aborted || !mayPass(error)) {
        log('warn', 'the tracking server elsewhere was not told of all; the run is published without it', {
          uri,
          error: why,
        });
        return;
      }
      await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
    }
  }
}
