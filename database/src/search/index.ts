/** Search over experiments, runs, models: an already parsed filter becomes one statement; the answer is keys and where the next page begins. */
import { isDataException } from '../errors.ts';
import { type Database, query as rowsOf } from '../pool.ts';
import type { ExperimentQuery, LoggedModelQuery, ModelVersionQuery, RegisteredModelQuery, RunQuery } from './ast.ts';
import { selectExperiments } from './experiments.ts';
import { selectLoggedModels } from './logged-models.ts';
import { selectModelVersions } from './model-versions.ts';
import { decodeToken, digestOf, encodeToken, InvalidPageTokenError, type Place } from './page-token.ts';
import { type Parameters, parameters } from './parameters.ts';
import { selectRegisteredModels } from './registered-models.ts';
import { selectRuns } from './runs.ts';
import { type KeyRow, pageSql, type Selection } from './statement.ts';

export type * from './ast.ts';
export { InvalidPageTokenError } from './page-token.ts';

export interface PageRequest {
  /** At least 1. */
  readonly maxResults: number;
  readonly pageToken?: string | undefined;
}

export interface KeyPage<Key> {
  readonly keys: readonly Key[];
  /** Absent on the last page. */
  readonly nextPageToken?: string | undefined;
}

/**
 * Keys in the order asked for. A row that is neither new nor changed is on exactly one page, whatever else is written
 * meanwhile. Throws InvalidPageTokenError for a token that is broken or was answered to another query.
 */
export interface Search {
  experiments(namespace: string, query: ExperimentQuery, page: PageRequest): Promise<KeyPage<string>>;
  runs(namespace: string, query: RunQuery, page: PageRequest): Promise<KeyPage<string>>;
  registeredModels(namespace: string, query: RegisteredModelQuery, page: PageRequest): Promise<KeyPage<string>>;
  modelVersions(
    namespace: string,
    query: ModelVersionQuery,
    page: PageRequest,
  ): Promise<KeyPage<{ readonly model: string; readonly version: number }>>;
  loggedModels(namespace: string, query: LoggedModelQuery, page: PageRequest): Promise<KeyPage<string>>;
}

/** A value of a token that Postgres cannot read as its column's type was not put there by us. */
const refuseToken = (error: unknown): never => {
  if (isDataException(error)) throw new InvalidPageTokenError('Invalid page token: it was changed on its way.');
  throw error;
};

interface Ask<Key> {
  readonly entity: string;
  readonly query: object;
  readonly page: PageRequest;
  readonly select: (into: Parameters) => Selection;
  readonly keyOf: (key: unknown) => Key;
}

async function pageOf<Key>(pool: Database, namespace: string, ask: Ask<Key>): Promise<KeyPage<Key>> {
  const digest = digestOf([ask.entity, ask.query]);
  const after = ask.page.pageToken ? decodeToken(digest, ask.page.pageToken) : undefined;
  const into = parameters(namespace);
  // One more than asked for tells whether there is a next page.
  const sql = pageSql(ask.select(into), into, ask.page.maxResults + 1, after);
  const found = rowsOf<KeyRow>(pool, sql, into.values);
  const rows = await (after ? found.catch(refuseToken) : found);
  const keys = rows.slice(0, ask.page.maxResults).map((row) => ask.keyOf(row.key));
  const last = rows.length > ask.page.maxResults ? rows[ask.page.maxResults - 1] : undefined;
  return last ? { keys, nextPageToken: encodeToken(digest, placeOf(last)) } : { keys };
}

const placeOf = ({ segment, place }: KeyRow): Place => ({ segment, values: place });

const versionKey = (key: unknown) => {
  const [model, version] = key as [string, number];
  return { model, version };
};

export const openSearch = (pool: Database): Search => ({
  experiments: (namespace, query, page) =>
    pageOf(pool, namespace, {
      entity: 'experiments',
      query,
      page,
      select: (into) => selectExperiments(query, into),
      keyOf: String,
    }),
  runs: async (namespace, query, page) =>
    query.experimentIds.length === 0
      ? { keys: [] }
      : pageOf(pool, namespace, {
          entity: 'runs',
          query,
          page,
          select: (into) => selectRuns(query, into),
          keyOf: String,
        }),
  registeredModels: (namespace, query, page) =>
    pageOf(pool, namespace, {
      entity: 'registered-models',
      query,
      page,
      select: (into) => selectRegisteredModels(query, into),
      keyOf: String,
    }),
  modelVersions: (namespace, query, page) =>
    pageOf(pool, namespace, {
      entity: 'model-versions',
      query,
      page,
      select: (into) => selectModelVersions(query, namespace, into),
      keyOf: versionKey,
    }),
  loggedModels: (namespace, query, page) =>
    pageOf(pool, namespace, {
      entity: 'logged-models',
      query,
      page,
      select: (into) => selectLoggedModels(query, into),
      keyOf: String,
    }),
});
