/** Model versions. The default order is an index of its own; so is the newest of one model. */
import type { Condition, ModelVersionQuery, Test, VersionField, VersionOrderAttribute } from './ast.ts';
import type { SortColumn } from './keyset.ts';
import { noneOf, type Pairs, pairTest } from './pairs.ts';
import type { Parameters } from './parameters.ts';
import { withoutPrompts } from './prompts.ts';
import type { Selection } from './statement.ts';
import { integerTest, textTest } from './tests.ts';

const tags: Pairs = {
  table: 'model_version_tags',
  owner: 'x.namespace = v.namespace AND x.model = v.model AND x.version = v.version',
  hashed: true,
};

/** One version with the tag makes a prompt of the whole model; the words are those of the index for them. */
const promptTags = (model: string) => `slipway.model_version_tags x WHERE x.namespace = $1 AND ${model}
  AND x.key = 'mlflow.prompt.is_prompt' AND x.value = 'true'`;
const NO_PROMPT = noneOf(promptTags('x.model = v.model'));

/** The same for a search that goes through many versions to fill a page: the prompts are collected once, from name to name. */
const NONE_OF_THE_PROMPTS = `v.model NOT IN (WITH RECURSIVE prompts (model) AS (
    (SELECT x.model FROM ${promptTags('true')} ORDER BY x.model LIMIT 1)
    UNION ALL SELECT (SELECT x.model FROM ${promptTags('x.model > p.model')} ORDER BY x.model LIMIT 1)
      FROM prompts p WHERE p.model IS NOT NULL
  ) SELECT p.model FROM prompts p WHERE p.model IS NOT NULL)`;
const goesThroughMany = (where: ModelVersionQuery['where']): boolean => where.some(({ field }) => field.kind === 'tag');

const ARTIFACTS = 'mlflow-artifacts:/';

/** Sources are compared in the words in which clients see them. */
function sourceTest(query: ModelVersionQuery, namespace: string, test: Test, into: Parameters): string {
  const prefix = `s3://${query.bucket}/${namespace}/`;
  if (test.kind === 'text' && test.comparator === '=') {
    const value = `${into.add(test.value)}::text`;
    const stored = test.value.startsWith(ARTIFACTS) ? prefix + test.value.slice(ARTIFACTS.length) : test.value;
    const place = `${into.add(stored)}::text`;
    const lies = stored === test.value && stored.startsWith(prefix) ? 'false' : `v.source_uri = ${place}`;
    return `(md5(v.client_source) = md5(${value}) AND v.client_source = ${value})
      OR (v.client_source IS NULL AND md5(v.source_uri) = md5(${place}) AND ${lies})`;
  }
  const start = `${into.add(prefix)}::text`;
  const shown = `coalesce(v.client_source, CASE WHEN starts_with(v.source_uri, ${start})
    THEN '${ARTIFACTS}' || substr(v.source_uri, length(${start}) + 1) ELSE v.source_uri END)`;
  return textTest(shown, test, into);
}

/** Found through an index of what is there. Without a run the id is an empty text to clients. */
const isLookUp = (test: Test): boolean =>
  (test.kind === 'text' && test.comparator === '=' && test.value !== '') ||
  (test.kind === 'list' && test.comparator === 'IN' && !test.values.includes(''));

function condition(
  query: ModelVersionQuery,
  namespace: string,
  { field, test }: Condition<VersionField>,
  into: Parameters,
): string {
  if (field.kind === 'tag') return pairTest(tags, field.key, test, into);
  switch (field.key) {
    case 'version_number':
      return integerTest('v.version', test, into);
    case 'source_path':
      return sourceTest(query, namespace, test, into);
    case 'run_id':
      return textTest(isLookUp(test) ? 'v.run_id' : `coalesce(v.run_id, '')`, test, into);
    default:
      return textTest('v.model', test, into);
  }
}

const columns: Record<VersionOrderAttribute, Pick<SortColumn, 'expression' | 'type'>> = {
  name: { expression: 'v.model', type: 'text' },
  version_number: { expression: 'v.version', type: 'integer' },
  creation_timestamp: { expression: 'v.creation_time', type: 'timestamptz' },
  last_updated_timestamp: { expression: 'v.last_updated_time', type: 'timestamptz' },
};
type OrderBy = ModelVersionQuery['orderBy'];
const by = (key: VersionOrderAttribute, ascending: boolean): OrderBy[number] => ({
  field: { kind: 'attribute', key },
  ascending,
});

/** What is asked for, then name ascending, version descending. */
function orderOf(orderBy: OrderBy): SortColumn[] {
  const asked = orderBy.length > 0 ? orderBy : [by('last_updated_timestamp', false)];
  const rest = [by('name', true), by('version_number', false)].filter(
    ({ field }) => !asked.some((each) => each.field.key === field.key),
  );
  return [...asked, ...rest].map(({ field, ascending }) => ({ ...columns[field.key], ascending }));
}

export function selectModelVersions(query: ModelVersionQuery, namespace: string, into: Parameters): Selection {
  const { where, hidePrompts } = withoutPrompts(query.where);
  return {
    key: 'json_build_array(v.model, v.version)',
    segments: [
      () => ({
        from: 'slipway.model_versions v',
        where: [
          'v.namespace = $1',
          `v.status <> 'DELETED'`,
          ...where.map((each) => condition(query, namespace, each, into)),
          ...(hidePrompts ? [goesThroughMany(where) ? NONE_OF_THE_PROMPTS : NO_PROMPT] : []),
        ],
        order: orderOf(query.orderBy),
      }),
    ],
  };
}
