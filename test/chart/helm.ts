/** helm, as the tests of the chart use it: rendering, without a cluster. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { folderOf } from '../cluster/binaries.ts';
import { pathsFor } from '../cluster/paths.ts';
import { tools } from '../cluster/tools.ts';

export const CHART = 'charts/slipway';
export const RELEASE = 'slipway';
export const NAMESPACE = 'slipway-system';

// biome-ignore lint/suspicious/noExplicitAny: manifests have every shape there is
export type Manifest = any;
/** Values as they would stand in a file. */
export type Values = Readonly<Record<string, unknown>>;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const built = `${folderOf(pathsFor(process.env), tools.helm)}/helm`;

/** The helm the cluster scripts built, else the one on the PATH. */
export function helm(args: readonly string[], input = ''): Outcome {
  const command = existsSync(built) ? built : 'helm';
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error) throw new Error(`helm is needed (${error.message}): put it on the PATH, or run make cluster-up once`);
  return { code: status ?? 1, stdout, stderr };
}

/** `helm template` with these values on top of the defaults; nothing is thrown when the chart refuses them. */
export const template = (values: Values = {}, ...options: string[]): Outcome =>
  helm(
    ['template', RELEASE, CHART, '-n', NAMESPACE, '--kube-version=1.34.0', '-f', '-', ...options],
    JSON.stringify(values),
  );

/** Every object the chart makes of the values. A key given twice, or a refusal by the chart, throws. */
export function render(values: Values = {}, ...options: string[]): readonly Manifest[] {
  const { code, stdout, stderr } = template(values, ...options);
  if (code !== 0) throw new Error(stderr);
  const documents = parseAllDocuments(stdout);
  if ('empty' in documents) return [];
  const broken = documents.flatMap((document) => document.errors);
  if (broken[0]) throw broken[0];
  return documents.map((document) => document.toJS() as Manifest).filter((object) => object !== null);
}

/** The one object of that kind and name. */
export function find(objects: readonly Manifest[], kind: string, name: string): Manifest {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind}/${name} instead of one`);
  return found[0];
}

function podSpecOf({ kind, spec }: Manifest): Manifest {
  if (kind === 'Pod') return spec;
  return (kind === 'CronJob' ? spec.jobTemplate.spec : spec).template.spec;
}

/** The pod specs of everything that makes pods, by `Kind/name`. */
export const podSpecs = (objects: readonly Manifest[]): readonly (readonly [string, Manifest])[] =>
  objects
    .filter(({ kind }) => ['Pod', 'Deployment', 'StatefulSet', 'Job', 'CronJob', 'DaemonSet'].includes(kind))
    .map((object) => [`${object.kind}/${object.metadata.name}`, podSpecOf(object)]);

/** The environment of the only container of a Deployment (or another kind), by name. */
export const environmentOf = (
  objects: readonly Manifest[],
  name: string,
  kind = 'Deployment',
): Record<string, Manifest> =>
  Object.fromEntries(
    podSpecOf(find(objects, kind, name)).containers[0].env.map((entry: Manifest) => [
      entry.name,
      entry.value ?? entry.valueFrom,
    ]),
  );
