/** Where an input's URI points, decided from its text alone. */
import { belongsToTenant, type FetchInputs, parseS3Uri } from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';

export const BUILTIN_DATA = ['iris.csv', 'abalone.csv'] as const;

export type Source =
  | { readonly kind: 'builtin'; readonly file: string }
  | { readonly kind: 'configmap'; readonly name: string; readonly key: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string };

const builtin = (uri: string): Source | undefined => {
  const file = BUILTIN_DATA.find((name) => uri === `builtin://${name}`);
  return file && { kind: 'builtin', file };
};

const configMap = (uri: string): Source | undefined => {
  const [, name, key] = /^configmap:\/\/([a-z0-9][a-z0-9.-]{0,252})\/([-._a-zA-Z0-9]{1,253})$/.exec(uri) ?? [];
  if (name === undefined || key === undefined || key === '.' || key.startsWith('..')) return undefined;
  return { kind: 'configmap', name, key };
};

/** True when the URI can only be understood with the bucket's name, which is in the credentials. */
export const needsBucket = (uri: string): boolean => uri.startsWith('s3://');

/** `bucket` is the tenant's; undefined when there are no credentials. Throws InputUriNotAllowed naming what is allowed. */
export function locate(uri: string, namespace: string, bucket: string | undefined): Source {
  const location = parseS3Uri(uri);
  const inStore =
    location && bucket !== undefined && belongsToTenant(location, bucket, namespace)
      ? { kind: 's3' as const, ...location }
      : undefined;
  const source = inStore ?? builtin(uri) ?? configMap(uri);
  if (source) return source;
  throw new FailureError(
    'InputUriNotAllowed',
    `input URI ${quoted(uri, 300)}: expected s3://${bucket ?? '<bucket>'}/${namespace}/<key>, configmap://<name>/<key> or ` +
      `${BUILTIN_DATA.map((name) => `builtin://${name}`).join(', ')}`,
  );
}

/** Throws InvalidConfiguration when an input's name cannot be a file of its own in /input. */
export function checkInputNames({ inputs }: FetchInputs): void {
  const seen = new Set<string>(['params.json']);
  for (const { name } of inputs) {
    const usable = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name) && !seen.has(name);
    if (!usable) {
      throw new FailureError(
        'InvalidConfiguration',
        `input name ${quoted(name)}: expected a file name of letters, digits, ".", "_" and "-" that no other input has`,
      );
    }
    seen.add(name);
  }
}
