/** Where the API server keeps objects of a kind. */

export interface Resource {
  readonly apiVersion: string;
  readonly plural: string;
}

/** `/apis/batch/v1/namespaces/a/jobs/x`; without a namespace all of them, without a name the collection. */
export function resourcePath({ apiVersion, plural }: Resource, namespace?: string, name?: string): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${base}${scope}/${plural}${object}`;
}
