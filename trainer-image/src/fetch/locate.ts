/** Where an input's URI points, decided from its text alone. */
import {
  belongsToTenant,
  type FetchInputs,
  INPUT_DIGESTS_FILE,
  PARAMS_FILE,
  parseS3Uri,
  tenantPrefix,
} from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';

export const BUILTIN_DATA = ['iris.csv', 'abalone.csv'] as const;

export type Source =
  | { readonly kind: 'builtin'; readonly file: string }
  | { readonly kind: 'configmap'; readonly name: string; readonly key: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string }
  | { readonly kind: 'https'; readonly url: URL };

type Input = FetchInputs['inputs'][number];

/** What decides: whose inputs they are, and from where they may come. */
export interface Allowed {
  readonly namespace: string;
  /** The tenant's; undefined when there are no credentials. */
  readonly bucket: string | undefined;
  readonly httpsHosts: readonly string[];
}

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
export const needsBucket = ({ uri }: Input): boolean => /^(s3|data):\/\//.test(uri);

/** The URI as it may be logged and recorded: what stands behind the path of a web address can be a key to it. */
export function shownUri(uri: string): string {
  if (!/^https?:/i.test(uri) || !URL.canParse(uri)) return uri.replace(/\/\/[^/@]*@/, '//');
  const { origin, pathname } = new URL(uri);
  return `${origin}${pathname}`;
}

const refusal = (uri: string, expected: string): FailureError =>
  new FailureError('InputUriNotAllowed', `input URI ${quoted(shownUri(uri), 300)}: expected ${expected}`);

function inStore(uri: string, { bucket, namespace }: Allowed): Source | undefined {
  const location = parseS3Uri(uri);
  if (!location || bucket === undefined || !belongsToTenant(location, bucket, namespace)) return undefined;
  return { kind: 's3', ...location };
}

/** `data://name`: the operator looked up where the bytes lie; only a place for data sets of this tenant is believed. */
function dataSet({ uri, location }: Input, { bucket, namespace }: Allowed): Source {
  if (location === undefined) {
    const name = uri.slice('data://'.length);
    throw new FailureError(
      'InputNotFound',
      `there is no data set ${quoted(name)} in this namespace; upload it: curl -T ${quoted(name)} ` +
        `<registry>/n/${namespace}/data/${quoted(name)}`,
    );
  }
  const found = parseS3Uri(location);
  if (found && found.bucket === bucket && found.key.startsWith(`${tenantPrefix(namespace)}data/`)) {
    return { kind: 's3', ...found };
  }
  throw refusal(uri, `its bytes below s3://${bucket ?? '<bucket>'}/${namespace}/data/`);
}

/** An entry of the list of hosts as URL.host has it: lower case, without the default port. */
const asHost = (entry: string): string => entry.trim().toLowerCase().replace(/:443$/, '');

/** The address, when its host is one of `hosts`. Throws InputUriNotAllowed; nothing it says holds a secret of the URL. */
export function allowedUrl(uri: string, hosts: readonly string[]): URL {
  if (!URL.canParse(uri)) throw refusal(uri, 'a web address');
  const url = new URL(uri);
  if (url.protocol !== 'https:') throw refusal(uri, 'https://');
  if (url.username !== '' || url.password !== '') {
    throw refusal(uri, 'no user name or password in the address: whoever may read the object would read them');
  }
  if (hosts.map(asHost).includes(url.host)) return url;
  const allowed = hosts.length === 0 ? 'none so far' : hosts.join(', ');
  throw refusal(
    uri,
    `a host the operator allows (${allowed}); the chart's value trainer.httpsInputHosts adds ${url.host}`,
  );
}

function fromWeb({ uri, sha256 }: Input, { httpsHosts }: Allowed): Source {
  const url = allowedUrl(uri, httpsHosts);
  if (sha256 === undefined) throw refusal(uri, 'sha256 beside it: what a web server answers may change');
  return { kind: 'https', url };
}

/** Throws InputUriNotAllowed naming what is allowed, InputNotFound for a data set that is not there. */
export function locate(input: Input, allowed: Allowed): Source {
  const { uri } = input;
  if (uri.startsWith('data://')) return dataSet(input, allowed);
  if (/^https:/i.test(uri)) return fromWeb(input, allowed);
  const source = inStore(uri, allowed) ?? builtin(uri) ?? configMap(uri);
  if (source) return source;
  const { bucket, namespace } = allowed;
  throw refusal(
    uri,
    `s3://${bucket ?? '<bucket>'}/${namespace}/<key>, data://<name>, configmap://<name>/<key>, https://<allowed host>/… or ` +
      `${BUILTIN_DATA.map((name) => `builtin://${name}`).join(', ')}`,
  );
}

const OUR_FILES = [PARAMS_FILE, INPUT_DIGESTS_FILE.split('/')[0] as string];

/** Throws InvalidConfiguration when an input's name cannot be a file of its own in /input. */
export function checkInputNames({ inputs }: FetchInputs): void {
  const seen = new Set<string>(OUR_FILES);
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
