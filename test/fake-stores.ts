/** Runs and versions in memory, with the guarantees of the real stores: start and registerBrought once, FINISHED wins. */
import { runIdFor } from '@slipway/contract';
import {
  DatabaseUnavailableError,
  type DataSetFinder,
  type ModelVersionRow,
  type RequestStore,
  type Run,
  type RunRequest,
  type RunStore,
  type ServiceRef,
  type UseStore,
  type VersionEdit,
  type VersionRef,
  type VersionStore,
} from '@slipway/database';
import type { DependencyHealth } from '../operator/src/api/health.ts';
import type { ControllerDeps } from '../operator/src/controllers/ports.ts';

const DIGEST = 'd'.repeat(64);
export const FILES = [{ path: 'model.onnx', sha256: 'a'.repeat(64), size: 2048 }];

export class FakeStores {
  readonly runs = new Map<string, Run>();
  /** The model whose candidate a trial published, by run key. */
  readonly candidates = new Map<string, string>();
  readonly versions: ModelVersionRow[] = [];
  readonly requests: RunRequest[] = [];
  readonly dataSets = new Map<string, { readonly key: string; readonly sha256: string }>();
  readonly #owners = new Map<string, string>();
  readonly #brought = new Map<string, number>();
  readonly #moved = new Map<string, string>();
  readonly writes: string[] = [];
  /** What was counted, in order. */
  readonly counted: string[] = [];
  health: DependencyHealth = { postgres: { up: true }, objectStorage: { up: true } };
  namespaceIsBeingDeleted = false;
  mayConvert = false;
  /** The owners that the NetworkPolicy of conversions was given, each time. */
  readonly policies: (readonly string[])[] = [];
  /** When what is published ends; absent: when it began. */
  clock?: () => Date;
  /** Called before every write with its name; throw to fail it. */
  onWrite: (write: string) => void = () => {};

  /** The model of what that object brought was renamed. */
  moveBrought(objectUid: string, model: string): void {
    this.#moved.set(objectUid, model);
  }

  /** What `publish` does in the pod: one transaction that finishes the run and numbers its version. */
  publish(runKey: string, model: string, metrics: Record<string, number> = {}): number {
    const run = this.runs.get(runKey) as Run;
    if (run.version !== undefined) return run.version;
    this.runs.set(runKey, { ...run, status: 'FINISHED', endTime: this.#endOf(run), metrics });
    return this.#number(runKey, model);
  }

  /** As `publish`, for a trial of a search: its model is a candidate. */
  publishTrial(runKey: string, model: string, metrics: Record<string, number>): void {
    const run = this.runs.get(runKey) as Run;
    this.runs.set(runKey, { ...run, status: 'FINISHED', endTime: this.#endOf(run), metrics });
    this.candidates.set(runKey, model);
  }

  #endOf({ startTime }: Run): string {
    return this.clock?.().toISOString() ?? startTime;
  }

  #number(runKey: string, model: string): number {
    const run = this.runs.get(runKey) as Run;
    const version = this.#next(run.namespace, model);
    const uri = `s3://slipway/${run.namespace}/0/${run.runId}/artifacts/a/model`;
    const { namespace, experimentId, runId } = run;
    const artifact = { uri, files: FILES, digest: DIGEST };
    this.versions.push({ ...pending({ namespace, model, version, uri }), artifact, experimentId, runId });
    this.runs.set(runKey, { ...run, model, version });
    return version;
  }

  #next(namespace: string, model: string): number {
    return this.versions.filter((row) => row.namespace === namespace && row.model === model).length + 1;
  }

  #write(what: string): void {
    if (!this.health.postgres.up) throw new DatabaseUnavailableError('Postgres is unavailable: ECONNREFUSED');
    this.onWrite(what);
    this.writes.push(what);
  }

  #read(): void {
    if (!this.health.postgres.up) throw new DatabaseUnavailableError('Postgres is unavailable: ECONNREFUSED');
  }

  readonly runStore: RunStore = {
    start: async (asked) => {
      this.#read();
      const found = this.runs.get(asked.runKey);
      if (found) return found;
      this.#write('start run');
      const { experiment: _experiment, trainingJob: _trainingJob, ownerUid, isTracked: _, requestId, ...kept } = asked;
      const identity = { runId: runIdFor(asked.runKey), experimentId: '1' };
      const run = { ...structuredClone(kept), ...identity, status: 'RUNNING', metrics: {} } as const;
      this.runs.set(asked.runKey, run);
      this.#owners.set(asked.runKey, ownerUid);
      if (requestId !== undefined) this.#answer(asked.namespace, requestId, { runId: run.runId });
      return run;
    },
    list: async (namespace, ownerUid, ended) => {
      this.#read();
      const own = [...this.runs.values()]
        .filter((run) => run.namespace === namespace && this.#owners.get(run.runKey) === ownerUid)
        .filter(({ parentRunKey }) => parentRunKey === undefined)
        .sort((a, b) => b.startTime.localeCompare(a.startTime) || a.runId.localeCompare(b.runId));
      const newest = own.filter(({ status }) => status !== 'RUNNING').slice(0, ended);
      return own.filter((run) => run.status === 'RUNNING' || newest.includes(run));
    },
    trials: async (namespace, searchKey) => {
      this.#read();
      return [...this.runs.values()]
        .filter((run) => run.namespace === namespace && run.parentRunKey === searchKey)
        .sort((a, b) => a.runKey.length - b.runKey.length || a.runKey.localeCompare(b.runKey));
    },
    concludeSearch: async (_, searchKey, { trialKey, endTime }) => {
      this.#read();
      const search = this.runs.get(searchKey);
      if (search?.status !== 'RUNNING') return search;
      this.#write('conclude search');
      const { metrics, gate } = this.runs.get(trialKey) as Run;
      const concluded = { ...search, metrics, ...(gate && { gate }), status: 'FINISHED', endTime } as const;
      this.runs.set(searchKey, concluded);
      const model = this.candidates.get(trialKey);
      if (model !== undefined) this.#number(searchKey, model);
      return this.runs.get(searchKey);
    },
    find: async (_, runKey) => {
      this.#read();
      return this.runs.get(runKey);
    },
    findById: async (namespace, runId) => {
      this.#read();
      return [...this.runs.values()].find((run) => run.namespace === namespace && run.runId === runId);
    },
    fail: async (_, runKey, { status, reason, message, endTime }) => {
      this.#read();
      const run = this.runs.get(runKey);
      if (run?.status !== 'RUNNING') return run;
      this.#write('fail run');
      const closed = { ...run, status, endTime, failure: { reason, message } };
      this.runs.set(runKey, closed);
      return closed;
    },
  };

  #answer(namespace: string, requestId: string, answer: Pick<RunRequest, 'runId' | 'refused'>): void {
    const index = this.requests.findIndex((one) => one.namespace === namespace && one.requestId === requestId);
    const request = this.requests[index];
    if (request) this.requests[index] = { ...request, ...answer };
  }

  readonly requestStore: RequestStore = {
    add: async (asked) => {
      this.#read();
      const known = this.requests.some(({ requestId }) => requestId === asked.requestId);
      if (!known) this.requests.push({ requestedAt: '2026-01-01T00:00:00.000Z', ...asked });
    },
    find: async (namespace, requestId) => {
      this.#read();
      return this.requests.find((one) => one.namespace === namespace && one.requestId === requestId);
    },
    pending: async (namespace, trainingJob) => {
      this.#read();
      return this.requests
        .filter((one) => one.namespace === namespace && one.trainingJob === trainingJob)
        .filter(({ runId, refused }) => runId === undefined && refused === undefined)
        .slice(0, 100);
    },
    unstarted: async (namespace, trainingJob) => {
      this.#read();
      return this.requests
        .filter((one) => one.namespace === namespace && one.trainingJob === trainingJob && one.runId === undefined)
        .map(({ requestId }) => requestId)
        .toReversed();
    },
    countPending: async (namespace, trainingJob) => (await this.requestStore.pending(namespace, trainingJob)).length,
    waiting: async () => {
      this.#read();
      return this.requests
        .filter(({ runId, refused }) => runId === undefined && refused === undefined)
        .map(({ namespace, trainingJob }) => ({ namespace, trainingJob }));
    },
    refuse: async (namespace, requestId, refused) => {
      this.#read();
      const request = this.requests.find((one) => one.namespace === namespace && one.requestId === requestId);
      if (!request || request.runId !== undefined || request.refused !== undefined) return;
      this.#write('refuse request');
      this.#answer(namespace, requestId, { refused });
    },
  };

  readonly dataSetFinder: DataSetFinder = {
    find: async (namespace, name) => {
      this.#read();
      return this.dataSets.get(`${namespace}/${name}`);
    },
  };

  #row(namespace: string, model: string, version: number): ModelVersionRow | undefined {
    return this.versions.find((row) => row.namespace === namespace && row.model === model && row.version === version);
  }

  #change(row: ModelVersionRow | undefined, change: Partial<ModelVersionRow>): void {
    if (row) this.versions[this.versions.indexOf(row)] = { ...row, ...change };
  }

  readonly versionStore: VersionStore = {
    find: async (...key) => {
      this.#read();
      return this.#row(...key);
    },
    list: async (namespace) => this.versions.filter((row) => row.namespace === namespace && row.status !== 'DELETED'),
    registerBrought: async ({ namespace, model, sourceUri: uri, format = 'onnx', objectUid }) => {
      this.#read();
      const known = this.#brought.get(objectUid);
      if (known !== undefined)
        return this.#row(namespace, this.#moved.get(objectUid) ?? model, known) as ModelVersionRow;
      this.#write('register version');
      const fresh = pending({ namespace, model, version: this.#next(namespace, model), uri });
      const row: ModelVersionRow = format === 'onnx' ? fresh : { ...fresh, format, status: 'READY' };
      this.#brought.set(objectUid, row.version);
      this.versions.push(row);
      return row;
    },
    findBrought: async (namespace, objectUid) => {
      this.#read();
      const version = this.#brought.get(objectUid);
      const model = this.#moved.get(objectUid);
      return this.versions.find(
        (row) => row.namespace === namespace && row.version === version && row.model === (model ?? row.model),
      );
    },
    recordVerification: async (namespace, model, version, { message, ...result }) => {
      this.#write('record verification');
      this.#change(this.#row(namespace, model, version), { ...result, statusMessage: message });
    },
    recordConversion: async (namespace, model, version, derived) => {
      const row = this.#row(namespace, model, version);
      if (!row || row.status === 'DELETED') return undefined;
      if (!row.derived) {
        this.#write('record conversion');
        this.#change(row, { derived });
      }
      return this.#row(namespace, model, version)?.derived;
    },
    delete: async ({ namespace, model, version }, { services }) => {
      this.#write('delete version');
      const users = this.uses.filter(
        (use) => use.namespace === namespace && use.model === model && use.version === version,
      );
      const names = users.map(({ service }) => service).filter((service) => services.includes(service));
      if (names.length === 0) this.#change(this.#row(namespace, model, version), { status: 'DELETED' });
      return names;
    },
    edit: async ({ namespace, model, version }, actor, decide) => {
      this.#read();
      const row = this.#row(namespace, model, version);
      if (!row || row.status === 'DELETED') return undefined;
      const change = decide(row);
      this.#write(`edit version ${version} as ${actor}`);
      this.#edit(row, change);
      return this.#row(namespace, model, version);
    },
    isRenamed: async () => false,
    aliasHolders: async (namespace, model, aliases) => {
      this.#read();
      const holders = this.versions.filter((row) => row.namespace === namespace && row.model === model);
      const found = holders.flatMap((row) => row.aliases.map((alias) => [alias, row.version] as const));
      return Object.fromEntries(found.filter(([alias]) => aliases.includes(alias)));
    },
  };

  #edit(row: ModelVersionRow, { stage, aliases, tags, description }: VersionEdit): void {
    const labels: Partial<ModelVersionRow> = {
      ...(stage !== undefined && { stage }),
      ...(description !== undefined && { description }),
      ...(aliases && {
        aliases: [...new Set([...row.aliases, ...aliases.set])].filter((a) => !aliases.delete.includes(a)).sort(),
      }),
      ...(tags && {
        tags: Object.fromEntries(
          Object.entries({ ...row.tags, ...tags.set }).filter(([key]) => !tags.delete.includes(key)),
        ),
      }),
    };
    for (const other of this.versions.filter((one) => one !== row && one.model === row.model)) {
      this.#change(other, { aliases: other.aliases.filter((alias) => !aliases?.set.includes(alias)) });
    }
    this.#change(row, labels);
  }

  /** A change by a tracking client: nobody is told. */
  change(ref: VersionRef, edit: VersionEdit): void {
    this.#edit(this.#row(ref.namespace, ref.model, ref.version) as ModelVersionRow, edit);
  }

  uses: (ServiceRef & VersionRef)[] = [];
  readonly useStore: UseStore = {
    hold: async ({ namespace, service }, model, versions) => {
      this.#read();
      const held = [...new Set(versions)].filter((version) => {
        const row = this.#row(namespace, model, version);
        return row !== undefined && row.status !== 'DELETED';
      });
      const others = this.uses.filter((use) => use.namespace !== namespace || use.service !== service);
      const own = held.map((version) => ({ namespace, service, model, version }));
      const next = [...others, ...own];
      if (JSON.stringify(next) === JSON.stringify(this.uses)) return held;
      this.#write(`hold ${held.join(' ')}`);
      this.uses = next;
      return held;
    },
    release: async ({ namespace, service }) => {
      this.#read();
      this.uses = this.uses.filter((use) => use.namespace !== namespace || use.service !== service);
    },
    services: async (namespace) => [
      ...new Set(this.uses.filter((use) => use.namespace === namespace).map(({ service }) => service)),
    ],
  };

  readonly deps: ControllerDeps = {
    runs: this.runStore,
    versions: this.versionStore,
    uses: this.useStore,
    requests: this.requestStore,
    dataSets: this.dataSetFinder,
    tenants: { ensure: async () => {} },
    tokenKeys: { ensure: async () => {} },
    namespaces: { isBeingDeleted: async () => this.namespaceIsBeingDeleted },
    conversions: {
      mayConvert: async () => this.mayConvert,
      ensurePolicy: async (_, owners) => void this.policies.push(owners.map(({ metadata }) => metadata.name)),
    },
    counters: {
      runEnded: (cause, outcome) => this.counted.push(`${cause} ${outcome}`),
      slaMissed: () => this.counted.push('sla missed'),
    },
    health: () => this.health,
    settings: {
      trainerImage: 'slipway/trainer:test',
      servingImage: 'slipway/serving:test',
      imagePullPolicy: 'IfNotPresent',
      imagePullSecrets: [],
      operatorUrl: 'http://slipway-operator.slipway-system.svc:8080',
      bucket: 'slipway',
    },
  };
}

/** A row as it is right after it was registered. */
export const pending = (of: { namespace: string; model: string; version: number; uri: string }): ModelVersionRow => ({
  namespace: of.namespace,
  model: of.model,
  version: of.version,
  versionKey: String(of.version),
  stage: 'None',
  aliases: [],
  tags: {},
  description: '',
  status: 'PENDING_REGISTRATION',
  statusMessage: '',
  sourceUri: of.uri,
  format: 'onnx',
  lineage: {},
  creationTime: '2026-01-01T00:00:00.000Z',
});
