/** The grammars of the five searches, table by table: what parses to what, and what is refused in which words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../errors.ts';
import { parseExperimentFilter, parseExperimentOrder } from './experiments.ts';
import { parseLoggedModelFilter, parseLoggedModelOrderField } from './logged-models.ts';
import { parseModelFilter, parseModelOrder, parseVersionFilter, parseVersionOrder } from './registry-models.ts';
import { parseRunFilter, parseRunOrder } from './runs.ts';

interface Parsed {
  readonly field: { readonly kind: string; readonly key: string };
  readonly test: { readonly kind: string; readonly comparator: string };
}
type Parse = (filter: string) => readonly Parsed[];

/** `metric m > 1`, `param p IN ["a"]`: the AST in one line. */
const line = ({ field, test: its }: Parsed): string => {
  const value = 'values' in its ? its.values : 'value' in its ? its.value : undefined;
  return [field.kind, field.key, its.comparator, ...(value === undefined ? [] : [JSON.stringify(value)])].join(' ');
};

const grammars = {
  runs: parseRunFilter,
  experiments: parseExperimentFilter,
  models: parseModelFilter,
  versions: parseVersionFilter,
  logged: parseLoggedModelFilter,
} satisfies Record<string, Parse>;
type Grammar = keyof typeof grammars;

const each = (grammar: Grammar, rows: readonly (readonly [filter: string, ...lines: string[]])[]) => {
  for (const [filter, ...lines] of rows)
    test(`${grammar}: ${filter || '(nothing)'}`, () => {
      const parse: Parse = grammars[grammar];
      assert.deepEqual(parse(filter).map(line), lines);
    });
};

const refusalOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.code, error.status], ['INVALID_PARAMETER_VALUE', 400]);
    return error.message;
  }
  return assert.fail('it was accepted');
};

const refused = (grammar: Grammar, rows: readonly (readonly [filter: string, begins: string, where: string])[]) => {
  for (const [filter, begins, where] of rows)
    test(`${grammar} refuse ${filter}`, () => {
      const message = refusalOf(() => grammars[grammar](filter));
      assert.ok(message.startsWith(begins), message);
      assert.ok(message.includes(where), message);
    });
};

const numberComparators = ['=', '!=', '<', '<=', '>', '>='];
const textComparators = ['=', '!=', 'LIKE', 'ILIKE'];

each('runs', [
  ['', ...[]],
  ...numberComparators.map((c) => [`metrics.acc ${c} -1.5e3`, `metric acc ${c} -1500`] as const),
  ...numberComparators.map((c) => [`attributes.start_time${c}5`, `attribute start_time ${c} 5`] as const),
  ...textComparators.map((c) => [`params.C ${c} 'x'`, `param C ${c} "x"`] as const),
  ...textComparators.map((c) => [`tags.t ${c.toLowerCase()} "x"`, `tag t ${c} "x"`] as const),
  ...textComparators.map((c) => [`status ${c} 'RUNNING'`, `attribute status ${c} "RUNNING"`] as const),
  ...textComparators.map((c) => [`datasets.name ${c} 'd'`, `dataset name ${c} "d"`] as const),
  ...['IS NULL', 'IS NOT NULL'].map((c) => [`tags.t ${c} AND params.p ${c}`, `tag t ${c}`, `param p ${c}`] as const),
  ...['metric', 'metrics', '`metrics`'].map((e) => [`${e}.a > 1`, 'metric a > 1'] as const),
  ...['param', 'params', 'parameter', 'parameters'].map((e) => [`${e}.a = ''`, 'param a = ""'] as const),
  ...['tag', 'tags'].map((e) => [`${e}.a = 'x'`, 'tag a = "x"'] as const),
  ...['attr.', 'attribute.', 'attributes.', 'run.', ''].map(
    (e) => [`${e}run_id = 'x'`, 'attribute run_id = "x"'] as const,
  ),
  ...['dataset', 'datasets'].map((e) => [`${e}.context = 'x'`, 'dataset context = "x"'] as const),
  ...['`a b`', '"a b"', "'a b'"].map((key) => [`params.${key} = 'x'`, 'param a b = "x"'] as const),
  ['metrics.val.acc > .5', 'metric val.acc > 0.5'],
  ['tags.`mlflow.user` = "me"', 'tag mlflow.user = "me"'],
  [`params.p = "it's"`, `param p = "it's"`],
  [`params.p = 'say "hi"'`, `param p = "say \\"hi\\""`],
  // As in MLflow an escape keeps a quote from ending the value, and stays in it.
  [`params.p = 'it''s'`, `param p = "it''s"`],
  [`params.p = 'it\\'s'`, `param p = "it\\\\'s"`],
  [`run_id IN ('a', "b",)`, 'attribute run_id IN ["a","b"]'],
  [`run_id not  in ('it\\'s')`, `attribute run_id NOT IN ["it's"]`],
  [`datasets.digest IN ('a')`, 'dataset digest IN ["a"]'],
  ["Created > 1 AND `Run name` = 'x'", 'attribute start_time > 1', 'attribute run_name = "x"'],
  ["tags.名前 = '値'", 'tag 名前 = "値"'],
  ["params.b='x'AND metrics.a>1", 'param b = "x"', 'metric a > 1'],
  ["AND params.a = 'x' params.b = 'y' AND", 'param a = "x"', 'param b = "y"'],
  ["tags.order = 'x' and params.like LIKE 'in%'", 'tag order = "x"', 'param like LIKE "in%"'],
]);
refused('runs', [
  ['metrics.a == 1', `Invalid comparator '==' not one of '{'>=', '=', '<', '<=', '>', '!='}'`, 'at "==", character 11'],
  ["params.C <> 'x'", `Invalid comparator '<>' not one of '{'!=', '=', 'LIKE', 'ILIKE'`, 'at "<>", character 10'],
  ["params.C > 'x'", "Invalid comparator '>' not one of", 'character 10'],
  ["tags.C NOT LIKE 'x'", "Invalid comparator 'NOT LIKE' not one of", 'at "NOT", character 8'],
  ["metrics.a LIKE 'x'", "Expected numeric value type for metric. Found 'x'", 'character 16'],
  ['metrics.a > nan', 'Expected numeric value type for metric. Found nan', 'at "nan", character 13'],
  ["start_time > '1'", "Expected numeric value type for numeric attribute: start_time. Found '1'", 'character 14'],
  ["end_time LIKE '1'", 'Expected numeric value type for numeric attribute: end_time', 'character 15'],
  [
    'params.C = 1',
    "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1",
    'at "1", character 12',
  ],
  [
    'tags.t = x',
    'Parameter value is either not quoted or unidentified quote types used for string value x',
    'character 10',
  ],
  ['tags.t = `x`', 'Parameter value is either not quoted or unidentified quote types', 'character 10'],
  ["foo = 'x'", "Invalid attribute key 'foo' specified. Valid keys are", 'at "foo", character 1'],
  [
    "params.a = 'x' AND foo.b = 'x'",
    "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
    'at "foo.b", character 20',
  ],
  ["datasets.foo = 'x'", "Invalid dataset key 'foo' specified", 'character 1'],
  ["status IN ('x')", "Only ['run_id'] attributes support comparison with a list", 'at "(", character 11'],
  ["params.C IN ('x')", 'Expected a quoted string value for parameter', 'character 13'],
  [
    'run_id IN ()',
    'While parsing a list in the query, expected a non-empty list of string values, but got empty list',
    'character 12',
  ],
  ['run_id IN (1)', 'While parsing a list in the query', 'at "1", character 12'],
  ["run_id IN ('a'", 'While parsing a list in the query', 'at the end'],
  ["run_id = ('a')", "Invalid comparator '=' not one of", 'character 8'],
  [
    'metrics.a IS NULL',
    "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'a'",
    'at "IS", character 11',
  ],
  [
    'status IS NOT NULL',
    "IS NULL / IS NOT NULL is only supported for tags and params, not for 'attribute' 'status'",
    'character 8',
  ],
  ['start_time IS NULL', 'IS NULL / IS NOT NULL is only supported', 'character 12'],
  ["params.a = 'x' OR params.b = 'y'", "Invalid clause(s) in filter string: 'OR'", 'at "OR", character 16'],
  ["NOT params.a = 'x'", "Invalid clause(s) in filter string: 'NOT'", 'character 1'],
  ["(params.a = 'x')", "Invalid clause(s) in filter string: '('", 'character 1'],
  ["params.a-b = 'x'", "Invalid clause(s) in filter string: '-'. Put backticks around", 'character 9'],
  ["params.a = 'x'; params.b = 'y'", 'Search filter contained multiple expression', 'at ";", character 15'],
  ["params.a = 'x", 'Invalid filter: a quote is opened and never closed', 'character 12'],
  ['metrics.a >', 'Invalid comparison clause. Expected 3 tokens found 2', 'at the end'],
  ['metrics.a', "Invalid clause(s) in filter string: 'metrics.a'", 'character 1'],
  ['1 = 1', "Invalid comparison clause. Expected 'Identifier' found '1'", 'character 1'],
  ['   ', "Invalid filter '   '. Could not be parsed", 'at the end'],
  ["tags.a = 'x\0'", 'Invalid filter: it holds a NUL', 'filter'],
]);

each('experiments', [
  ...textComparators.map((c) => [`name ${c} 'x'`, `attribute name ${c} "x"`] as const),
  ...textComparators.map((c) => [`tag.\`a b\` ${c} 'x'`, `tag a b ${c} "x"`] as const),
  ...numberComparators.map((c) => [`creation_time ${c} 5`, `attribute creation_time ${c} 5`] as const),
  ["attribute.name = 'x' AND tags.t IS NULL", 'attribute name = "x"', 'tag t IS NULL'],
  [
    "experiment_id = '1' AND experiment_id IN ('1', '2')",
    'attribute experiment_id = 1',
    'attribute experiment_id IN ["1","2"]',
  ],
]);
refused('experiments', [
  [
    "attributes.name = 'x'",
    "Invalid entity type 'attributes'. Valid entity types are ('attribute', 'tag', 'tags')",
    'character 1',
  ],
  ["name IN ('x')", "Only ['experiment_id'] attributes support comparison with a list", 'character 9'],
  ['creation_time > 1.5', "Invalid value for numeric attribute 'creation_time': '1.5'", 'character 17'],
  ["experiment_id = 'x'", "Invalid experiment ID 'x'. Experiment ID must be a valid integer", 'character 17'],
  ["experiment_id LIKE '1'", 'Invalid comparator for experiment_id: LIKE', 'character 15'],
  ['name IS NULL', "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'", 'character 6'],
  ["tags.t > 'x'", 'Invalid comparator for tag: >', 'character 8'],
]);

each('models', [
  ...textComparators.map((c) => [`name ${c} 'x'`, `attribute name ${c} "x"`] as const),
  ["name NOT IN ('a', 'b')", 'attribute name NOT IN ["a","b"]'],
  [
    "name ILIKE '%i%' AND tag.`mlflow.prompt.is_prompt` != 'true'",
    'attribute name ILIKE "%i%"',
    'tag mlflow.prompt.is_prompt != "true"',
  ],
]);
refused('models', [
  ["name == 'x'", 'Invalid comparator for attribute: ==', 'at "==", character 6'],
  ["tags.t == 'x'", 'Invalid comparator for tag: ==', 'character 8'],
  ["run_id = 'x'", "Invalid attribute key 'run_id' specified. Valid keys are '{'name'}'", 'character 1'],
  ['tags.t IS NULL', 'Invalid comparison clause. IS NULL', 'character 8'],
]);

each('versions', [
  ...numberComparators.map((c) => [`version_number ${c} 3`, `attribute version_number ${c} 3`] as const),
  ...textComparators.map((c) => [`source_path ${c} 's3://b'`, `attribute source_path ${c} "s3://b"`] as const),
  [
    "version_number >= '3' AND run_id IN ('a') AND name IN ('b')",
    'attribute version_number >= 3',
    'attribute run_id IN ["a"]',
    'attribute name IN ["b"]',
  ],
]);
refused('versions', [
  ['version_number = 1.5', "Invalid value for numeric attribute 'version_number': '1.5'", 'character 18'],
  ["version_number LIKE '1'", 'Invalid comparator for attribute version_number: LIKE', 'character 16'],
  ["source_path IN ('a')", "Only ['name', 'run_id'] attributes support comparison with a list", 'character 16'],
  ['name = 5', 'Only the', 'at "5", character 8'],
  ['creation_timestamp > 5', "Invalid attribute key 'creation_timestamp' specified", 'character 1'],
]);

each('logged', [
  [
    "name = 'm' AND metrics.a > 1 AND params.C IN ('x') AND tags.t ILIKE 'y'",
    'attribute name = "m"',
    'metric a > 1',
    'param C IN ["x"]',
    'tag t ILIKE "y"',
  ],
  [
    'creation_time > 5 AND last_updated_timestamp < 6',
    'attribute creation_timestamp_ms > 5',
    'attribute last_updated_timestamp_ms < 6',
  ],
  ["attributes.status = 'READY'", 'attribute status = "LOGGED_MODEL_READY"'],
  ["experiment_id != '1'", 'attribute experiment_id NOT IN ["1"]'],
]);
refused('logged', [
  [
    "attr.name = 'x'",
    "Invalid entity type: 'attr'. Expected one of ['attributes', 'metrics', 'params', 'tags']",
    'character 1',
  ],
  ["name == 'x'", "Invalid comparison operator for attributes.name: '=='. Expected one of", 'character 6'],
  ["foo = 'x'", "Invalid attribute key 'foo'", 'character 1'],
]);

test('orders name a field and a direction', () => {
  const shown = (orders: readonly { field: { kind: string; key: string }; ascending: boolean }[]) =>
    orders.map(({ field, ascending }) => `${field.kind} ${field.key} ${ascending ? 'up' : 'down'}`);
  assert.deepEqual(shown(parseRunOrder(['metrics.`a b` DESC', 'params."c" asc', 'tags.t', 'Created desc'])), [
    'metric a b down',
    'param c up',
    'tag t up',
    'attribute start_time down',
  ]);
  assert.deepEqual(shown(parseExperimentOrder(['name', 'attribute.creation_time DESC', 'name DESC'])), [
    'attribute name up',
    'attribute creation_time down',
  ]);
  assert.deepEqual(shown(parseModelOrder(['timestamp DESC', 'name'])), [
    'attribute last_updated_timestamp down',
    'attribute name up',
  ]);
  assert.deepEqual(shown(parseVersionOrder(['version_number DESC'])), ['attribute version_number down']);
  assert.deepEqual(parseLoggedModelOrderField('metrics.a.b'), { kind: 'metric', key: 'a.b' });
  assert.deepEqual(parseLoggedModelOrderField('creation_time'), { kind: 'attribute', key: 'creation_timestamp_ms' });
});

const orderRefusals: readonly (readonly [() => unknown, string])[] = [
  [() => parseRunOrder(['']), "Invalid order_by clause ''. Could not be parsed"],
  [
    () => parseRunOrder(['metrics.a DESC, metrics.b']),
    "Invalid order_by clause 'metrics.a DESC, metrics.b'. Could not be parsed",
  ],
  [() => parseRunOrder(['metrics.a down']), "Invalid ordering key in order_by clause 'metrics.a down'"],
  [() => parseRunOrder(['foo']), "Invalid attribute key 'foo' specified"],
  [() => parseRunOrder(['datasets.name']), "Invalid identifier type 'dataset'"],
  [() => parseRunOrder(['start_time', 'created DESC']), '`order_by` contains duplicate fields'],
  [() => parseExperimentOrder(['tags.t']), 'Invalid order_by entity: tag'],
  [
    () => parseModelOrder(['creation_timestamp']),
    "Invalid order by key 'creation_timestamp' specified. Valid keys are",
  ],
  [() => parseModelOrder(['timestamp', 'last_updated_timestamp']), '`order_by` contains duplicate fields'],
  [() => parseVersionOrder(['tags.t']), "Invalid order by key 't' specified"],
  [() => parseLoggedModelOrderField('params.C'), 'Invalid order by field name: params.C. Only metrics are supported.'],
  [() => parseLoggedModelOrderField('foo'), 'Invalid order by field name: foo'],
];
for (const [work, begins] of orderRefusals)
  test(`an order is refused: ${begins}`, () => assert.ok(refusalOf(work).startsWith(begins), refusalOf(work)));

test('a filter longer than anybody writes is refused before it becomes a statement', () => {
  const filter = Array.from({ length: 201 }, (_, index) => `metrics.m${index} > 0`).join(' AND ');
  assert.match(
    refusalOf(() => parseRunFilter(filter)),
    /more than 50 comparisons/,
  );
});
