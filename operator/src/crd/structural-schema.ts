/** From a zod schema to the structural OpenAPI v3 schema an API server accepts. */
import { z } from 'zod';

/** The part of JSON Schema a structural schema is made of. */
export interface JsonSchema {
  type?: string;
  format?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  [keyword: string]: unknown;
}

/** What a structural schema may not hold: the server ignores it silently or refuses the whole definition. */
const FOREIGN = ['$schema', '$id', '$ref', 'id', 'propertyNames', 'const', 'examples', '~standard'];

/** The schema of what users write (defaults are optional). Pure: same zod schema, same result. */
export function structuralSchema(schema: z.ZodType): JsonSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => makeStructural(jsonSchema as JsonSchema),
  }) as JsonSchema;
  return ordered(json);
}

function makeStructural(json: JsonSchema): void {
  for (const keyword of FOREIGN) delete json[keyword];
  if (json.type === 'integer') makeInteger(json);
  if (json['x-kubernetes-int-or-string'] === true) makeIntOrString(json);
  if (json.additionalProperties === false) delete json.additionalProperties;
}

/** zod bounds every integer by what a double can hold; Kubernetes has a format for that. */
function makeInteger(json: JsonSchema): void {
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  json.format = 'int64';
}

/** The one union that is structural, in exactly this form: the bounds of its branches stand beside it. */
function makeIntOrString(json: JsonSchema): void {
  const branches = (json.anyOf ?? []) as JsonSchema[];
  const { maxLength, pattern } = branches.find((branch) => branch.type === 'string') ?? {};
  const minimum = branches.find((branch) => branch.type === 'integer')?.minimum;
  // Where a CEL rule says in words what is expected, the pattern would only say it a second time.
  const inWords = json['x-kubernetes-validations'] !== undefined;
  for (const [keyword, value] of Object.entries(inWords ? { maxLength } : { maxLength, pattern, minimum })) {
    if (value !== undefined) json[keyword] = value;
  }
  json.anyOf = [{ type: 'integer' }, { type: 'string' }];
}

const FIRST = ['description', 'type', 'format', 'default', 'enum'];
const LAST = ['required', 'properties', 'items', 'additionalProperties'];
const rank = (keyword: string): number => {
  if (FIRST.includes(keyword)) return FIRST.indexOf(keyword) - FIRST.length;
  return LAST.indexOf(keyword) + 1;
};

/** Keywords in the order people read them, so that the files do not change with zod's. */
function ordered(json: JsonSchema): JsonSchema {
  const entries = Object.entries(json).sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
  const result: JsonSchema = Object.fromEntries(entries);
  if (json.items) result.items = ordered(json.items);
  if (typeof json.additionalProperties === 'object') result.additionalProperties = ordered(json.additionalProperties);
  if (json.properties) {
    const fields = Object.entries(json.properties).map(([name, field]) => [name, ordered(field)] as const);
    result.properties = Object.fromEntries(fields);
  }
  return result;
}
