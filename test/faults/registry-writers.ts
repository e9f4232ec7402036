/** Writers that never stop at a failure and remember what they were told, and what must be there afterwards. */
import assert from 'node:assert/strict';
import type { Answer, RegistryProcess } from './registry-process.ts';

/** One thing that was sent; `done` is the answer when it was 200. */
interface Sent {
  readonly kind: 'batch' | 'version' | 'run';
  readonly n: number;
  done?: Answer['body'];
}

export interface Writer {
  readonly runId: string;
  readonly sent: readonly Sent[];
  readonly failures: readonly Answer[];
  /** Ends with what went wrong when there was no answer at all. */
  readonly ended: Promise<unknown>;
  acknowledged(): number;
}

export const MODEL = 'under-fire';
const KEYS = ['a', 'b', 'c'];
const kinds = ['batch', 'version', 'run'] as const;

const requests = {
  batch: (runId: string, n: number) => ({
    path: 'runs/log-batch',
    body: {
      run_id: runId,
      metrics: KEYS.map((key) => ({ key: `${key}${n}`, value: n, timestamp: 1, step: 0 })),
      params: KEYS.map((key) => ({ key: `${key}${n}`, value: String(n) })),
      tags: KEYS.map((key) => ({ key: `${key}${n}`, value: String(n) })),
    },
  }),
  version: (runId: string, n: number) => ({
    path: 'model-versions/create',
    body: { name: MODEL, source: `s3://elsewhere/${runId}/${n}`, tags: KEYS.map((key) => ({ key, value: String(n) })) },
  }),
  run: (runId: string, n: number) => ({
    path: 'runs/create',
    body: { experiment_id: '0', run_name: `${runId}-${n}`, tags: KEYS.map((key) => ({ key, value: String(n) })) },
  }),
};

/** Writes one thing after another until `signal` aborts, or until nobody answers any more. */
export async function startWriter(registry: RegistryProcess, signal: AbortSignal): Promise<Writer> {
  const created = await registry.call('POST', 'runs/create', { experiment_id: '0' });
  const runId: string = created.body.run.info.run_id;
  const sent: Sent[] = [];
  const failures: Answer[] = [];
  async function work(): Promise<void> {
    for (let n = 0; !signal.aborted; n++) {
      const one: Sent = { kind: kinds[n % kinds.length] as Sent['kind'], n };
      const { path, body } = requests[one.kind](runId, n);
      sent.push(one);
      const answer = await registry.call('POST', path, body);
      if (answer.status === 200) one.done = answer.body;
      else failures.push(answer);
    }
  }
  return {
    runId,
    sent,
    failures,
    ended: work().catch((error) => error),
    acknowledged: () => sent.filter(({ done }) => done).length,
  };
}

const values = (pairs: readonly { key: string; value: unknown }[] = []): Map<string, unknown> =>
  new Map(pairs.map(({ key, value }) => [key, value]));

/** All of a batch, or nothing of it. */
async function checkBatches(registry: RegistryProcess, { runId, sent }: Writer): Promise<void> {
  const { data } = (await registry.call('GET', 'runs/get', { run_id: runId })).body.run;
  const [metrics, params, tags] = [values(data.metrics), values(data.params), values(data.tags)];
  for (const { n, done } of sent.filter(({ kind }) => kind === 'batch')) {
    const there = KEYS.flatMap((key) => [metrics, params, tags].map((all) => all.has(`${key}${n}`)));
    assert.equal(new Set(there).size, 1, `batch ${n} of run ${runId} is there by half`);
    if (done) assert.equal(there[0], true, `batch ${n} of run ${runId} was acknowledged and is not there`);
  }
}

async function everyPage(registry: RegistryProcess, method: string, path: string, parameters: object, list: string) {
  // biome-ignore lint/suspicious/noExplicitAny: entities of any kind
  const found: any[] = [];
  let token: string | undefined;
  do {
    const { body } = await registry.call(method, path, { ...parameters, ...(token && { page_token: token }) });
    found.push(...(body[list] ?? []));
    token = body.next_page_token;
  } while (token);
  return found;
}

async function checkVersions(registry: RegistryProcess, writers: readonly Writer[]): Promise<void> {
  const parameters = { filter: `name = '${MODEL}'`, max_results: 10_000 };
  const versions = await everyPage(registry, 'GET', 'model-versions/search', parameters, 'model_versions');
  const numbers = versions.map(({ version }) => Number(version)).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    [...numbers.keys()].map((index) => index + 1),
    'version numbers have a gap',
  );
  const sources = new Map(versions.map(({ version, source }) => [version, source]));
  for (const { runId, sent } of writers)
    for (const { n, done } of sent)
      if (done?.model_version) assert.equal(sources.get(done.model_version.version), `s3://elsewhere/${runId}/${n}`);
  for (const { version, tags } of versions)
    assert.equal(tags?.length, KEYS.length, `version ${version} is there by half`);
}

async function checkRuns(registry: RegistryProcess, writers: readonly Writer[]): Promise<void> {
  const parameters = { experiment_ids: ['0'], max_results: 10_000 };
  const runs = await everyPage(registry, 'POST', 'runs/search', parameters, 'runs');
  const found = new Map(runs.map((run) => [run.info.run_id, run]));
  for (const { runId, sent } of writers)
    for (const { n, done } of sent)
      if (done?.run) assert.equal(found.get(done.run.info.run_id)?.info.run_name, `${runId}-${n}`);
  for (const { info, data } of runs) {
    if (!/-\d+$/.test(info.run_name) || !writers.some(({ runId }) => info.run_name.startsWith(runId))) continue;
    const tags = values(data.tags);
    assert.ok(
      KEYS.every((key) => tags.has(key)),
      `run ${info.run_id} is there by half`,
    );
  }
}

/** Every write that was acknowledged is there, none is there by half, and the numbers of versions have no gap. */
export async function checkWritten(registry: RegistryProcess, writers: readonly Writer[]): Promise<void> {
  for (const writer of writers) await checkBatches(registry, writer);
  await checkVersions(registry, writers);
  await checkRuns(registry, writers);
}

const found = {
  batch: async (registry: RegistryProcess, runId: string, n: number) =>
    values((await registry.call('GET', 'runs/get', { run_id: runId })).body.run.data.metrics).has(`${KEYS[0]}${n}`),
  version: async (registry: RegistryProcess, runId: string, n: number) => {
    const filter = `source_path = 's3://elsewhere/${runId}/${n}'`;
    return (await registry.call('GET', 'model-versions/search', { filter })).body.model_versions !== undefined;
  },
  run: async (registry: RegistryProcess, runId: string, n: number) => {
    const filter = `attributes.run_name = '${runId}-${n}'`;
    return (await registry.call('POST', 'runs/search', { experiment_ids: ['0'], filter })).body.runs !== undefined;
  },
};

/** What got no answer at all at the end was never taken: nothing of it is there. */
export async function checkNeverTaken(registry: RegistryProcess, writers: readonly Writer[]): Promise<void> {
  for (const { runId, sent } of writers) {
    const { kind, n } = sent.at(-1) as Sent;
    assert.equal(await found[kind](registry, runId, n), false, `${kind} ${n} of ${runId} was taken and not answered`);
  }
}
