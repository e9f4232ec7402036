/** What models, aliases, stages and numbers may be called, and MLflow's words where one is refused. Pure. */
import type { KeyValue } from '@slipway/database';
import { invalid } from '../errors.ts';
import { shown } from '../http/parameters.ts';
import { checkLength, checkName, cut, MAX_KEY } from './limits.ts';

const MAX_NAME = 256;
const MAX_VALUE = 100_000;
const MAX_ALIAS = 255;
const MAX_INT = 2 ** 31 - 1;

/** The name of a registered model. `field` is what the request calls it. */
export function checkModelName(name: string, field: 'name' | 'new_name' = 'name'): void {
  if (name.trim() === '') throw invalid(`Missing value for required parameter '${field}'.`);
  if (/[/:]/.test(name)) throw invalid(`Invalid model name '${name}'. Names cannot contain '/' or ':'.`);
  if (name === '.' || name.startsWith('..'))
    throw invalid(
      `Invalid value ${shown(name)} for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${name}'`,
    );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name))
    throw invalid(`Invalid model name ${shown(name)}. Names cannot contain control characters.`);
  checkLength(field, MAX_NAME, name);
}

/** The number in a text, by Python's rules; undefined when it is no number that a version can have. */
export function versionNumberIn(version: string): number | undefined {
  const number = Number(version.trim());
  return /^\s*[-+]?\d+\s*$/.test(version) && number >= 1 && number <= MAX_INT ? number : undefined;
}

/** As versionNumberIn; throws for what is no integer at all. 0: an integer that no version has. */
export function versionNumber(version: string): number {
  if (!/^\s*[-+]?\d+\s*$/.test(version))
    throw invalid(`Parameter 'version' must be an integer, got '${cut(version, 100)}'.`);
  return versionNumberIn(version) ?? 0;
}

/** An alias that may be asked for: letters and digits of every script, as Python's `\w` has them. */
export function checkAlias(alias: string): void {
  if (!/^[\p{L}\p{N}_-]*$/u.test(alias))
    throw invalid(
      `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    );
  checkLength('Registered model alias name', MAX_ALIAS, alias);
}

/** True for the alias that means the newest version without being set. */
export const isLatest = (alias: string): boolean => alias.toLowerCase() === 'latest';

/** An alias that may be set. */
export function checkNewAlias(alias: string): void {
  checkAlias(alias);
  if (isLatest(alias)) throw invalid("'latest' alias name (case insensitive) is reserved.");
  if (/^v\d+$/i.test(alias)) throw invalid(`Version alias name '${alias}' is reserved.`);
}

const stages = ['None', 'Staging', 'Production', 'Archived'];
const activeStages = ['Staging', 'Production'];

/** The stage as it is written; any case is understood. */
export function canonicalStage(stage: string): string {
  const found = stages.find((known) => known.toLowerCase() === stage.toLowerCase());
  if (found !== undefined) return found;
  throw invalid(`Invalid Model Version stage: ${stage}. Value must be one of ${stages.join(', ')}.`);
}

/** Others are archived for a version that becomes active only. MLflow answers 500 here, which its clients repeat. */
export function checkArchiving(stage: string): void {
  if (!activeStages.includes(canonicalStage(stage)))
    throw invalid(
      `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
    );
}

/** A tag of a registered model or, with its own words for prompts, of a version. */
export function checkTag({ key, value }: KeyValue): void {
  checkName(key, 'key');
  checkLength('key', MAX_KEY, key);
  if (key === 'mlflow.prompt.text' && [...value].length > MAX_VALUE)
    throw invalid(`Prompt text exceeds max length of ${MAX_VALUE} characters.`);
  checkLength('value', MAX_VALUE, value);
}

/** The tags of something new, each key once: the last value given holds. */
export function checkedTags(tags: readonly KeyValue[]): Record<string, string> {
  for (const tag of tags) checkTag(tag);
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

/** A description of a model or a version. */
export const checkDescription = (description: string): void => checkLength('description', MAX_VALUE, description);
