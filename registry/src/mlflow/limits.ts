/** What MLflow allows names and values to be, and its words where one is refused. Pure. */
import type { KeyValue } from '@slipway/database';
import { type ApiError, invalid } from '../errors.ts';
import { shown } from '../http/parameters.ts';

/** The tag that says the name of a run. */
export const RUN_NAME = 'mlflow.runName';
export const MAX_KEY = 250;
export const MAX_PARAM_VALUE = 6000;
export const MAX_TAG_VALUE = 8000;

/** Letters and digits of every script, as Python's `\w` has them. */
const plainName = /^[/\p{L}\p{N}_.\- :]*$/u;
const PLAIN_NAME =
  'Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).';

const exceeds = (what: string, limit: number): ApiError =>
  invalid(`'${what}' exceeds the maximum length of ${limit} characters`);

/** A text in a message as Python shows it. */
export const quoted = (value: string): string =>
  value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("'", "\\'")}'`;

/** Throws unless the text has at most so many characters. */
export function checkLength(what: string, limit: number, value: string): void {
  if (value.length > limit && [...value].length > limit) throw exceeds(what, limit);
}

/** The first `limit` characters; a pair of surrogates is one. */
export const cut = (value: string, limit: number): string =>
  value.length <= limit ? value : [...value].slice(0, limit).join('');

/** What a name becomes when it is read as a path. */
function asPath(name: string): string {
  const absolute = /^\/\/(?!\/)/.test(name) ? '//' : name.startsWith('/') ? '/' : '';
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (absolute === '') parts.push(part);
  }
  return absolute + parts.join('/') || '.';
}

/** Throws unless a key of a metric, param or tag is made of plain characters and stays itself when read as a path. */
export function checkName(name: string, path: string): void {
  if (!plainName.test(name))
    throw invalid(`Invalid value ${shown(name)} for parameter '${path}' supplied: ${PLAIN_NAME}`);
  const resolved = asPath(name);
  if (resolved === name && name !== '.' && !name.startsWith('..') && !name.startsWith('/')) return;
  throw invalid(
    `Invalid value ${shown(name)} for parameter '${path}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to ${quoted(resolved)}`,
  );
}

const within = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`);

/** Throws unless a point can be logged; `path` says where in the request it stands. */
export function checkMetric(
  { key, value, timestamp }: { readonly key: string; readonly value: number; readonly timestamp: number },
  path = '',
): void {
  checkName(key, within(path, 'name'));
  if (timestamp < 0)
    throw invalid(
      `Invalid value ${timestamp} for parameter '${within(path, 'timestamp')}' supplied: metric '${key}' (value=${Number.isInteger(value) ? value.toFixed(1) : value}). Timestamp must be a nonnegative long (64-bit integer) `,
    );
  checkLength('Metric name', MAX_KEY, key);
}

/** The param as it is kept: a value that is too long is cut. */
export function paramFrom({ key, value }: KeyValue, path = ''): KeyValue {
  checkName(key, within(path, 'key'));
  checkLength('Param key', MAX_KEY, key);
  return { key, value: cut(value, MAX_PARAM_VALUE) };
}

/** The run's tag as it is kept: a value that is too long is cut. */
export function tagFrom({ key, value }: KeyValue, path = ''): KeyValue {
  checkName(key, within(path, 'key'));
  checkLength(within(path, 'key'), MAX_KEY, key);
  return { key, value: cut(value, MAX_TAG_VALUE) };
}

/** Throws unless an experiment can have this tag. */
export function checkExperimentTag({ key, value }: KeyValue): void {
  checkName(key, 'key');
  checkLength('key', MAX_KEY, key);
  checkLength('value', 20_000, value);
}

const RUN_ID = /^[a-zA-Z0-9][\w-]{0,255}$/;

/** Throws unless the text can be the id of a run. */
export function checkRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw invalid(`Invalid value ${shown(runId)} for parameter 'run_id' supplied.`);
}

/** The experiment's id in its plain form: `01` is `1`. Throws for what is no integer. */
export function experimentIdFrom(id: string): string {
  const [, sign, written] = /^\s*([-+]?)(\d+)\s*$/.exec(id) ?? [];
  if (written === undefined)
    throw invalid(`Invalid experiment ID '${cut(id, 100)}'. Experiment ID must be a valid integer.`);
  const digits = written.replace(/^0+(?=\d)/, '');
  return `${sign === '-' && digits !== '0' ? '-' : ''}${digits}`;
}

function checkCount(entities: string, limit: number, count: number): void {
  if (count > limit)
    throw invalid(
      `A batch logging request can contain at most ${limit} ${entities}. Got ${count} ${entities}. Please split up ${entities} across multiple requests and try again.`,
    );
}

/** Throws for a batch of too many things. */
export function checkBatchSize(metrics: number, params: number, tags: number): void {
  checkCount('metrics', 1000, metrics);
  checkCount('params', 100, params);
  checkCount('tags', 100, tags);
  checkCount('metrics, params, and tags', 1000, metrics + params + tags);
}

const repeated = (pairs: readonly KeyValue[]): string[] => {
  const seen = new Set<string>();
  return pairs.filter(({ key }) => seen.has(key) || !seen.add(key)).map(({ key }) => quoted(key));
};

/** Throws when a batch names a param twice. */
export function checkParamsOnce(params: readonly KeyValue[]): void {
  const again = repeated(params);
  if (again.length > 0)
    throw invalid(
      `Duplicate parameter keys have been submitted: [${again.join(', ')}]. Please ensure the request contains only one param value per param key.`,
    );
}

/** Throws when something new is given a tag twice. */
export function checkKeysOnce(tags: readonly KeyValue[]): void {
  const again = repeated(tags);
  if (again.length > 0)
    throw invalid(`Duplicate tag keys have been submitted: [${again.join(', ')}]. Give each tag once.`);
}

/** Each key once: the last value given holds. */
export const lastOfEach = (pairs: readonly KeyValue[]): KeyValue[] => [
  ...new Map(pairs.map((pair) => [pair.key, pair])).values(),
];
