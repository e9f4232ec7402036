/** Where our registry answers differently from the real server on purpose; docs/mlflow-deviations.md explains each by its id. */
import type { Deviation } from './compare.ts';

/** What the searches say beyond the real server: where the mistake is, and what would be right. */
const beyondSearch =
  /(\. Expected (ASC or DESC|comparisons separated by AND)|: expected one field with an optional ASC or DESC|: order by attributes, metrics, params or tags|\. '\w+' is none of them|\. Valid names are .*)?( \(at .*\))?\.?$/;

export const deviations: readonly Deviation[] = [
  {
    id: 'no-sqlstate',
    scenarios: /^wire: every field of a refusal$/,
    fields: /^result\.(sqlstate|error_class)$/,
    reason: 'Error bodies carry error_code and message; no client reads the two internal fields beside them.',
  },
  {
    id: 'mistakes-are-not-500',
    scenarios: /./,
    real: /^(500|null|"INTERNAL_ERROR"|.*too many 500 error responses.*|.*500 Internal Server Error.*)$/,
    ours: /^(4\d\d|200|\{\}|"(INVALID_PARAMETER_VALUE|RESOURCE_DOES_NOT_EXIST)"|.*(INVALID_PARAMETER_VALUE|RESOURCE_DOES_NOT_EXIST): .*|.*"error_code".*)$/,
    reason: 'A mistake of the request is a 4xx that says what is wrong: clients send a 500 again, up to eight times.',
  },
  {
    id: 'mistakes-are-not-500-status',
    scenarios: /^experiments: rename a deleted one$/,
    fields: /^status$/,
    reason: 'As above; the status beside it is the one the client saw last.',
  },
  {
    id: 'unknown-model-id',
    scenarios: /^model versions: with a model_id that is not there$/,
    fields: /message$/,
    reason: 'A source that names an unknown logged model is refused like any other foreign source.',
  },
  {
    id: 'no-sql-in-messages',
    scenarios: /./,
    fields: /message$/,
    real: /psycopg2|sqlalchemy|raised as a result of Query-invoked autoflush/,
    reason: 'The database, its statements and their values are not for clients.',
  },
  {
    id: 'filter-position',
    scenarios: /^search/,
    fields: /message$/,
    beyond: beyondSearch,
    reason: 'A refused filter or order says at which character it is wrong, and what is expected there.',
  },
  {
    id: 'filter-words',
    scenarios: /^search/,
    fields: /^message$/,
    ours: /\(at (\\".*\\", character \d+|the end) of the (filter|order_by)\)/,
    real: /^"INVALID_PARAMETER_VALUE: /,
    reason:
      'The filter is parsed by a grammar, not by a general SQL tokenizer: same status and code, and words that name the token.',
  },
  {
    id: 'filter-strict',
    scenarios: /^(search logged models: filter 'name = one'|search_runs: filter "tags\. = 'a'")$/,
    ours: /^(400|".*\(at .*"|"INVALID_PARAMETER_VALUE")?$/,
    reason: 'Unquoted text and empty keys are refused everywhere; the real server guesses in some searches.',
  },
  {
    id: 'filter-more',
    scenarios:
      /^(search_runs: order by 'attributes\.`Run name` ASC'|search logged models: (filter "status = '(READY|PENDING)'"|by data set))$/,
    reason:
      'What the documentation promises works: the status of a logged model, a data set by its name, a quoted column.',
  },
  {
    id: 'max-results',
    scenarios: /^search .*: (max_results|without max_results)|^search_runs: max_results/,
    reason:
      'Limits are checked the same way everywhere and have a default: a bare experiments/search works, and 0 or -1 is refused.',
  },
  {
    id: 'page-tokens',
    scenarios: /: a page token of/,
    real: /^(200|500)$/,
    ours: /^400$/,
    reason: 'Pages are found by key, not by offset: a token is only good for the search that gave it.',
  },
  {
    id: 'view-types',
    scenarios: /: an unknown view type$/,
    reason: 'An unknown run_view_type or view_type is refused; the real server takes it for ACTIVE_ONLY.',
  },
  {
    id: 'number-types',
    scenarios:
      /^(metrics: a (value that is a bool|step that is a fraction|step of 2\^63)|log_batch: a metric that is wrong keeps all out|search_runs: experiment_ids of numbers)$/,
    reason:
      'A metric is a number and a step a whole one of at most 2^53 - 1, single or in a batch; the real server turns true into 1 and a word into NaN or 0.',
  },
  {
    id: 'shapes',
    scenarios:
      /^(runs: create with tags that are no list|inputs: (a data set without a (name|digest)|an input without a data set))$/,
    reason: 'What has the wrong shape is refused and names the field; the real server drops it and answers 200.',
  },
  {
    id: 'experiment-names',
    scenarios: /^experiments: a name of 500 characters$/,
    reason: 'The documented 500 characters hold on Postgres too, where the real schema ends at 256.',
  },
  {
    id: 'already-exists',
    scenarios: /^experiments: rename to a name that is taken$/,
    fields: /error_code$/,
    reason: 'A name that is taken is RESOURCE_ALREADY_EXISTS also when renaming.',
  },
  {
    id: 'tag-values',
    scenarios: /^registered models: a tag value of 5001 characters$/,
    reason: 'Tags of models and versions hold as much as their limit says, also on Postgres.',
  },
  {
    id: 'version-numbers',
    scenarios: /^registered models: delete takes everything along$/,
    fields: /^result\.2$/,
    reason:
      'A number is never given twice, not even after the model was deleted: objects in the cluster and logs are named by it.',
  },
  {
    id: 'source-as-sent',
    scenarios: /^model versions: source 'file:/,
    fields: /message$/,
    reason: 'The refusal shows the source as it was sent.',
  },
  {
    id: 'logged-models-idempotent',
    scenarios: /^logged models: (params later, and again|outputs of a run)$/,
    reason:
      'Logging the same param or output again is no mistake; another value is, in the words used for params of runs.',
  },
  {
    id: 'logged-models-by-path',
    scenarios: /^logged models: (finish with an unknown status|finish without a status|params of an unknown one)$/,
    reason: 'The path names the model; a model_id in the body is not asked for.',
  },
  {
    id: 'logged-models-nan',
    scenarios: /^log and load models: metrics logged before a model belong to it$/,
    real: /^"0\.0"$/,
    ours: /^"nan"$/,
    reason: "A logged model's NaN stays NaN; the real server shows 0.",
  },
  {
    id: 'bad-paths',
    scenarios: /^bad paths:/,
    fields: /status$/,
    ours: /^400$/,
    reason:
      'Absolute paths, empty, dot and parent segments, backslashes, control characters and their encodings are refused before anything is looked up.',
  },
  {
    id: 'directory-paths',
    scenarios: /^artifacts: names of unicode, spaces and signs$/,
    fields: /^result\.0\.#hash\.txt\.message$/,
    reason:
      'An upload to a path that ends in a slash is refused in the words used for every bad path, as error_code and message.',
  },
  {
    id: 'bad-range',
    scenarios: /^artifacts: Range '(bytes=3-1|lines=1-2|bytes=a-b)'$/,
    reason: 'A Range that makes no sense is passed over, as HTTP says: the whole file is sent.',
  },
  {
    id: 'malformed-json',
    scenarios: /^wire: (malformed JSON|a JSON list|a JSON number|JSON null|deeply nested JSON|invalid UTF-8)/,
    ours: /^(400|"BAD_REQUEST"|".*JSON.*"|\{.*BAD_REQUEST.*\})$/,
    reason:
      'A body that is not a JSON object in UTF-8 is 400 and says so; the real server takes it for an empty one or fails.',
  },
  {
    id: 'json-not-found',
    scenarios:
      /^wire: (an unknown endpoint|an unknown path|a wrong method|DELETE where there is POST|the preview prefix)$/,
    ours: /^(404|\{"error_code":"ENDPOINT_NOT_FOUND",.*\})$/,
    reason: 'What is not there is a 404 in JSON with ENDPOINT_NOT_FOUND, never HTML.',
  },
  {
    id: 'version',
    scenarios: /^wire: \/version$/,
    reason: 'Clients ask for traces from 3.4 on; there are none here.',
  },
  {
    id: 'query-twice',
    scenarios: /^wire: a parameter given twice in the query$/,
    reason: 'A parameter that is given twice and is no list is refused; the real server takes the first.',
  },
];
