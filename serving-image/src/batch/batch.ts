/**
 * `batch`: predicts every row of a stored file by asking a service, and stores the answers chunk by chunk. Nothing is
 * remembered but what lies in the output: a try that died is gone on with, a chunk that is there is never asked for again,
 * and one that is written twice is written the same. The model runs in the service's pods, not beside the credential.
 */
import type { StreamingObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { type Persistence, persist } from '../fetch/persist.ts';
import type { Logger } from '../log.ts';
import { type Chunk, chunksOf } from './chunks.ts';
import { featureSelector, type SelectFeatures } from './features.ts';
import type { BatchOptions } from './options.ts';
import { partName, textOf, withOutcome } from './output.ts';
import {
  type ChunkRecord,
  checkSamePlan,
  PLAN_FILE,
  type Plan,
  planFor,
  planIn,
  SUCCESS_FILE,
  type Summary,
} from './plan.ts';
import { type Row, readRows } from './rows.ts';
import type { BatchService, Outcome, ServedModel } from './service.ts';

export type BatchStore = Pick<StreamingObjectStore, 'bucket' | 'get' | 'put' | 'putNew' | 'stat' | 'info' | 'open'>;

export interface BatchParts {
  /** As the credential is now: it is renewed while a long batch goes on. */
  readonly store: () => Promise<BatchStore>;
  readonly service: BatchService;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly retry?: Persistence['retry'];
}

/** Resolves when the whole output is there. Throws FailureError; what is there already stays for the next try. */
export async function batch(options: BatchOptions, parts: BatchParts): Promise<Summary> {
  const { log } = parts;
  const persistence: Persistence = { log, ...(parts.retry && { retry: parts.retry }) };
  const stored = <T>(what: string, use: (store: BatchStore) => Promise<T>): Promise<T> =>
    persist(what, async () => use(await parts.store()), persistence);
  const folder = options.output.key;

  const finished = await stored('looking whether it is done', (store) => readJson(store, `${folder}/${SUCCESS_FILE}`));
  if (finished !== undefined) {
    await stored('looking what was done', (store) => checkDone(store, options, finished));
    log.info({ output: folder }, 'the batch is done already');
    return finished as Summary;
  }
  const served = await parts.service.describe();
  const plan = await stored('planning', (store) => begin(store, options, served));
  log.info({ plan }, 'predicting');
  const run = createRun(plan, served, { options, parts, stored });
  const chunks = await run();
  const count = (of: 'rows' | 'refused') => chunks.reduce((sum, chunk) => sum + chunk[of], 0);
  const summary: Summary = { ...plan, rows: count('rows'), refused: count('refused'), chunks };
  await stored('saying that it is done', (store) =>
    writeText(store, `${folder}/${SUCCESS_FILE}`, JSON.stringify(summary)),
  );
  log.info({ rows: summary.rows, refused: summary.refused, chunks: chunks.length }, 'done');
  return summary;
}

/** Throws InvalidConfiguration when what is asked for is not the batch that was done there. An input that is gone since is none of its concern. */
async function checkDone(store: BatchStore, options: BatchOptions, finished: unknown): Promise<void> {
  const done = planIn(finished, SUCCESS_FILE);
  checkBuckets(store, options);
  const input = await store.info(options.input.key);
  const { model, version, digest } = done;
  if (input) checkSamePlan(done, planFor(options, input, { model, version, digest }));
}

function checkBuckets(store: BatchStore, options: BatchOptions): void {
  for (const { bucket } of [options.input, options.output]) {
    if (bucket === store.bucket) continue;
    throw new FailureError('InputUriNotAllowed', `bucket ${bucket}: the credential is for s3://${store.bucket}/`);
  }
}

/** The plan that lies in the output, or a new one, written there. */
async function begin(store: BatchStore, options: BatchOptions, served: ServedModel): Promise<Plan> {
  checkBuckets(store, options);
  const input = await store.info(options.input.key);
  if (!input) throw new FailureError('InputNotFound', `nothing is stored at s3://${store.bucket}/${options.input.key}`);
  const { model, version, digest } = served;
  const plan = planFor(options, input, { model, version, digest });
  const key = `${options.output.key}/${PLAN_FILE}`;
  const begun = await readJson(store, key);
  // Of two that begin at once one is first, and the other goes by what that one wrote.
  if (begun === undefined && (await store.putNew(key, Buffer.from(JSON.stringify(plan))))) return plan;
  checkSamePlan(planIn(begun ?? (await readJson(store, key)), PLAN_FILE), plan);
  return plan;
}

interface Workshop {
  readonly options: BatchOptions;
  readonly parts: BatchParts;
  readonly stored: <T>(what: string, use: (store: BatchStore) => Promise<T>) => Promise<T>;
}

function createRun(plan: Plan, served: ServedModel, { options, parts, stored }: Workshop) {
  const { service, log } = parts;
  let select: SelectFeatures | undefined;
  let refused = 0;

  /** The outcome of every row; a row that is refused gets the reason, and the others are asked about without it. */
  async function outcomesOf(rows: readonly Row[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = new Array(rows.length);
    let left = rows.map((_, index) => index);
    while (left.length > 0) {
      const answer = await service.predict(
        left.map((index) => rows[index] as Row),
        plan.probabilities,
      );
      if ('outcomes' in answer) {
        checkIdentity(plan, answer);
        left.forEach((index, i) => {
          outcomes[index] = answer.outcomes[i] as Outcome;
        });
        break;
      }
      const bad = left[answer.row];
      if (bad === undefined) throw new FailureError('InternalError', 'the service refused a row that was not sent');
      outcomes[bad] = { error: answer.reason };
      if (++refused > options['max-refused']) {
        throw new FailureError(
          'InvalidCell',
          `the model refused more than ${options['max-refused']} rows, the last because of ${answer.reason}; mend the input or raise --max-refused`,
        );
      }
      left = left.filter((index) => index !== bad);
    }
    return outcomes;
  }

  async function work({ index, rows }: Chunk): Promise<ChunkRecord> {
    const key = `${options.output.key}/${partName(index, plan.outputFormat)}`;
    const there = await stored('looking for a chunk', (store) => store.stat(key));
    if (there) return recordOf(await stored('reading a chunk', (store) => readText(store, key)), key, plan);
    const chosen = select ?? featureSelector(served.features, rows[0] as Row, plan.format === 'csv');
    select = chosen;
    const outcomes = await outcomesOf(rows.map((row) => chosen(row)));
    // CSV out of CSV stays as it was written.
    const own = plan.outputFormat === 'jsonl' ? rows.map(chosen.typed) : rows;
    const text = textOf(
      own.map((row, i) => withOutcome(row, outcomes[i] as Outcome)),
      plan.outputFormat,
    );
    await stored('storing a chunk', (store) => writeText(store, key, text));
    log.info({ chunk: index, rows: rows.length }, 'chunk stored');
    return { key, rows: rows.length, refused: outcomes.filter((outcome) => 'error' in outcome).length };
  }

  return async (): Promise<readonly ChunkRecord[]> => {
    const { key } = options.input;
    const rows = readRows({ store: pinned(stored, plan), key, size: plan.size, format: plan.format });
    const chunks = chunksOf(rows, plan.chunkRows);
    return inParallel(chunks, work, options.concurrency);
  };
}

/** Reads the bytes the batch was planned for and no others. Throws InvalidConfiguration when they were replaced meanwhile. */
function pinned(stored: Workshop['stored'], { etag, input }: Plan): Pick<BatchStore, 'get' | 'open'> {
  const open: BatchStore['open'] = async (key, range) => {
    const opened = await stored('reading the input', (store) => store.open(key, range));
    if (opened.etag === etag) return opened;
    opened.body.destroy();
    throw new FailureError(
      'InvalidConfiguration',
      `${input} was replaced since the batch was begun; put it back, or give another --output`,
    );
  };
  return { open, get: async (key) => (await open(key)).body };
}

/** At most `width` at once, results in the order of the chunks. The first failure ends it all. */
async function inParallel<T, U>(items: AsyncIterator<T>, work: (item: T) => Promise<U>, width: number): Promise<U[]> {
  const results: U[] = [];
  let taken = 0;
  let failed = false;
  // Generators queue what is asked of them at once, so every worker gets another item.
  const worker = async (): Promise<void> => {
    while (!failed) {
      const index = taken++;
      const next = await items.next();
      if (next.done) return;
      results[index] = await work(next.value);
    }
  };
  try {
    await Promise.all(Array.from({ length: width }, worker));
  } catch (error) {
    failed = true;
    await items.return?.();
    throw error;
  }
  return results;
}

/** Throws InvalidConfiguration when another model answered than the batch was begun with. */
function checkIdentity(plan: Plan, { version, digest }: { readonly version: string; readonly digest: string }): void {
  if (version === plan.version && digest === plan.digest) return;
  throw new FailureError(
    'InvalidConfiguration',
    `version ${version} answers now, the batch was begun with version ${plan.version}; let the service serve that one again to finish it, or give another --output`,
  );
}

/** What a chunk that was stored before holds. */
function recordOf(text: string, key: string, { outputFormat }: Plan): ChunkRecord {
  const lines = text.split('\n').filter((line) => line !== '');
  if (outputFormat === 'csv') return { key, ...countCsv(text) };
  return { key, rows: lines.length, refused: lines.filter((line) => 'error' in (JSON.parse(line) as object)).length };
}

/** Rows and refused rows of a CSV file we wrote: line ends inside of quotes are none. */
function countCsv(text: string): { rows: number; refused: number } {
  const plain = text.replace(/"(?:[^"]|"")*"/g, 'x');
  const [header = '', ...rows] = plain.split('\n').filter((line) => line !== '');
  const column = header.split(',').indexOf('error');
  const refused = column === -1 ? 0 : rows.filter((row) => row.split(',')[column] !== '').length;
  return { rows: rows.length, refused };
}

async function readText(store: BatchStore, key: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await store.get(key)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** What the file says; null when it is no JSON, undefined when there is none. */
async function readJson(store: BatchStore, key: string): Promise<unknown> {
  if (!(await store.stat(key))) return undefined;
  const text = await readText(store, key);
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function writeText(store: BatchStore, key: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  await store.put(key, bytes, bytes.length);
}
