/** The five searches: text to query, keys of one page, the entities of these keys. */
import { InvalidPageTokenError, type KeyPage, type ViewType } from '@slipway/database';
import { z } from 'zod';
import { invalid } from '../../errors.ts';
import { boolean, integer, list, requiredText, text, unlessEmpty } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { experimentJson } from '../entities/experiment.ts';
import { loggedModelJson } from '../entities/logged-model.ts';
import { modelVersionJson } from '../entities/model-version.ts';
import { registeredModelJson } from '../entities/registered-model.ts';
import { runJson } from '../entities/run.ts';
import { cut } from '../limits.ts';
import { parseExperimentFilter, parseExperimentOrder } from '../search/experiments.ts';
import { parseLoggedModelFilter, parseLoggedModelOrderField } from '../search/logged-models.ts';
import { parseModelFilter, parseModelOrder, parseVersionFilter, parseVersionOrder } from '../search/registry-models.ts';
import { parseRunFilter, parseRunOrder } from '../search/runs.ts';

const SEE_DOCS = 'See the API docs for more information about request parameters.';

/** How many entities a page may hold, and holds when nobody says. */
const limited = (limits: { readonly default: number; readonly most: number }) =>
  integer().transform((value = limits.default) => {
    if (value > limits.most)
      throw invalid(
        `Invalid value ${value} for parameter 'max_results' supplied. It must be at most ${limits.most}, but got value ${value}. ${SEE_DOCS}`,
      );
    if (value < 1)
      throw invalid(`Invalid value ${value} for parameter 'max_results' supplied. It must be a positive integer`);
    return value;
  });

const views: Readonly<Record<string, ViewType>> = {
  '1': 'ACTIVE_ONLY',
  '2': 'DELETED_ONLY',
  '3': 'ALL',
  ACTIVE_ONLY: 'ACTIVE_ONLY',
  DELETED_ONLY: 'DELETED_ONLY',
  ALL: 'ALL',
};

/** An enum of MLflow's, as its name or its number. */
const viewType = () =>
  z
    .union([z.string(), z.int()])
    .nullish()
    .transform((value) => {
      if (value === undefined || value === null) return 'ACTIVE_ONLY';
      const name = String(value);
      const view = Object.hasOwn(views, name) ? views[name] : undefined;
      if (!view) throw invalid(`Invalid view type '${name}'. Valid view types are ACTIVE_ONLY, DELETED_ONLY and ALL.`);
      return view;
    });

/** Absent and empty mean the same. */
const filterText = () => text().transform((value = '') => value);

/** A list in a JSON body, where one value alone is a mistake. */
const bodyList = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item, { error: (issue) => (issue.input == null ? 'missing' : 'type') })
    .nullish()
    .transform((items) => items ?? []);

/** Each is a join or a condition of one statement, which the database plans before it reads anything. */
const MOST_ORDERS = 50;
const MOST_DATASETS = 200;

const fewOf =
  (name: string, most: number) =>
  <Item>(items: readonly Item[]): readonly Item[] => {
    if (items.length <= most) return items;
    throw invalid(
      `Invalid value for parameter '${name}' supplied: it has ${items.length} items, ${most} are the most.`,
    );
  };
const fewOrders = fewOf('order_by', MOST_ORDERS);

const common = { filter: filterText(), order_by: list(z.string()).transform(fewOrders), page_token: text() };

/** An id that is none of ours is an experiment without runs; one that is no number at all is a mistake. */
function experimentNumbers(ids: readonly string[]): number[] {
  const wrong = ids.find((id) => !/^\d+$/.test(id));
  if (wrong !== undefined)
    throw invalid(`Invalid experiment ID '${cut(wrong, 100)}'. Experiment ID must be a valid integer.`);
  return [...new Set(ids.map(Number))].filter((id) => id < 2 ** 31);
}

/** The page, with a refused token in MLflow's form. */
const tokenChecked = <Key>(page: Promise<KeyPage<Key>>): Promise<KeyPage<Key>> =>
  page.catch((error: unknown) => {
    throw error instanceof InvalidPageTokenError ? invalid(error.message) : error;
  });

const experimentsRequest = z.object({
  ...common,
  view_type: viewType(),
  max_results: limited({ default: 1000, most: 50_000 }),
});

const searchExperiments = (method: 'GET' | 'POST', { search, tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method,
    path: 'experiments/search',
    access: 'read',
    request: experimentsRequest,
    async answer({ namespace }, request) {
      const query = {
        view: request.view_type,
        where: parseExperimentFilter(request.filter),
        orderBy: parseExperimentOrder(request.order_by),
      };
      const page = { maxResults: request.max_results, pageToken: request.page_token };
      const { keys, nextPageToken } = await tokenChecked(search.experiments(namespace, query, page));
      const experiments = await tracking.experimentsById(namespace, keys);
      return { experiments: unlessEmpty(experiments.map(experimentJson)), next_page_token: nextPageToken };
    },
  });

const searchRuns = ({ search, tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'runs/search',
    access: 'read',
    request: z.object({
      ...common,
      order_by: bodyList(z.string()).transform(fewOrders),
      experiment_ids: bodyList(z.string()),
      run_view_type: viewType(),
      max_results: limited({ default: 1000, most: 50_000 }),
    }),
    async answer({ namespace }, request) {
      const query = {
        experimentIds: experimentNumbers(request.experiment_ids),
        view: request.run_view_type,
        where: parseRunFilter(request.filter),
        orderBy: parseRunOrder(request.order_by),
      };
      const page = { maxResults: request.max_results, pageToken: request.page_token };
      const { keys, nextPageToken } = await tokenChecked(search.runs(namespace, query, page));
      const runs = await tracking.runsById(namespace, keys);
      return { runs: unlessEmpty(runs.map(runJson)), next_page_token: nextPageToken };
    },
  });

const searchRegisteredModels = ({ search, models, artifacts }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'registered-models/search',
    access: 'read',
    request: z.object({ ...common, max_results: limited({ default: 100, most: 1000 }) }),
    async answer({ namespace }, request) {
      const query = { where: parseModelFilter(request.filter), orderBy: parseModelOrder(request.order_by) };
      const page = { maxResults: request.max_results, pageToken: request.page_token };
      const { keys, nextPageToken } = await tokenChecked(search.registeredModels(namespace, query, page));
      const place = { bucket: artifacts.bucket, namespace };
      const found = await models.modelsByName(namespace, keys);
      return {
        registered_models: unlessEmpty(found.map((model) => registeredModelJson(model, place))),
        next_page_token: nextPageToken,
      };
    },
  });

const searchModelVersions = ({ search, models, artifacts }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'model-versions/search',
    access: 'read',
    request: z.object({ ...common, max_results: limited({ default: 10_000, most: 200_000 }) }),
    async answer({ namespace }, request) {
      const query = {
        bucket: artifacts.bucket,
        where: parseVersionFilter(request.filter),
        orderBy: parseVersionOrder(request.order_by),
      };
      const page = { maxResults: request.max_results, pageToken: request.page_token };
      const { keys, nextPageToken } = await tokenChecked(search.modelVersions(namespace, query, page));
      const place = { bucket: artifacts.bucket, namespace };
      const versions = await models.versionsByKey(namespace, keys);
      return {
        // MLflow tells aliases where it is asked for one version or model, not here.
        model_versions: unlessEmpty(versions.map((version) => modelVersionJson({ ...version, aliases: [] }, place))),
        next_page_token: nextPageToken,
      };
    },
  });

const orderItem = z.object({
  field_name: requiredText(),
  ascending: boolean().transform((value = true) => value),
  dataset_name: text(),
  dataset_digest: text(),
});
type OrderItem = z.output<typeof orderItem>;

/** Empty texts of protocol buffers mean absent. */
const datasetOf = ({ dataset_name: name, dataset_digest: digest }: OrderItem) =>
  name || digest ? { ...(name && { name }), ...(digest && { digest }) } : undefined;

const searchLoggedModels = ({ search, loggedModels }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'logged-models/search',
    access: 'read',
    request: z.object({
      experiment_ids: z
        .array(z.string(), { error: (issue) => (issue.input == null ? 'missing' : 'type') })
        .min(1, 'missing'),
      filter: filterText(),
      datasets: bodyList(z.object({ dataset_name: text(), dataset_digest: text() })).transform(
        fewOf('datasets', MOST_DATASETS),
      ),
      order_by: bodyList(orderItem).transform(fewOrders),
      page_token: text(),
      max_results: limited({ default: 100, most: 50_000 }),
    }),
    async answer({ namespace }, request) {
      const datasets = request.datasets.map(({ dataset_name: name, dataset_digest: digest }) => {
        if (!name) throw invalid('`dataset_name` in the `datasets` clause must be specified.');
        return { name, digest: digest || undefined };
      });
      const query = {
        experimentIds: experimentNumbers(request.experiment_ids),
        where: parseLoggedModelFilter(request.filter),
        datasets,
        orderBy: request.order_by.map((item) => ({
          field: parseLoggedModelOrderField(item.field_name),
          ascending: item.ascending,
          dataset: datasetOf(item),
        })),
      };
      const page = { maxResults: request.max_results, pageToken: request.page_token };
      const { keys, nextPageToken } = await tokenChecked(search.loggedModels(namespace, query, page));
      const models = await loggedModels.byId(namespace, keys);
      return { models: unlessEmpty(models.map(loggedModelJson)), next_page_token: nextPageToken };
    },
  });

export const searchEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  searchExperiments('GET', deps),
  searchExperiments('POST', deps),
  searchRuns(deps),
  searchRegisteredModels(deps),
  searchModelVersions(deps),
  searchLoggedModels(deps),
];
