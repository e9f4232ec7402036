/** Slipway's kinds under an API group of one test's own, so that nothing shared is touched and code that knows only the real group can work with them. */
import { parse } from 'yaml';
import { GROUP } from '../../operator/src/api/meta.ts';
import { crdManifests } from '../../operator/src/crd/manifests.ts';
import type { KubeRequest, Transport } from '../../operator/src/kube/transport.ts';
import { eventually } from './eventually.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

interface Definition {
  metadata: { name: string };
  spec: { group: string; names: { plural: string; shortNames?: string[]; categories?: string[] } };
}

/** The definition under that group, without the short names that people may be using. */
function under(group: string, yaml: string): Definition {
  const definition = parse(yaml) as Definition;
  const { names } = definition.spec;
  definition.metadata.name = `${names.plural}.${group}`;
  definition.spec = { ...definition.spec, group, names: { ...names, shortNames: [], categories: [] } };
  return definition;
}

const exchanged = (value: unknown, from: string, to: string): unknown =>
  value === undefined
    ? undefined
    : JSON.parse(JSON.stringify(value).replaceAll(`"apiVersion":"${from}/`, `"apiVersion":"${to}/`));

/** Says the own group wherever the real one is said, and the other way round in the answers. */
function translated(transport: Transport, group: string): Transport {
  const outward = <T extends KubeRequest>(request: T): T => ({
    ...request,
    path: request.path.replace(`/apis/${GROUP}/`, `/apis/${group}/`),
    body: exchanged(request.body, GROUP, group),
  });
  return {
    json: async (request) => exchanged(await transport.json(outward(request)), group, GROUP),
    async *lines(request) {
      for await (const line of transport.lines(outward(request))) {
        yield line.replaceAll(`"apiVersion":"${group}/`, `"apiVersion":"${GROUP}/`);
      }
    },
    close: transport.close,
  };
}

export interface OwnGroup {
  /** `modelversions.<group>` and so on: what kubectl is to be told. */
  readonly resource: (plural: string) => string;
  /** For code that believes to speak with the real group. */
  readonly transport: Transport;
  remove(): Promise<void>;
}

/** Installs the definitions and waits until they are served. `name` makes the group. */
export async function installOwnGroup(transport: Transport, name: string): Promise<OwnGroup> {
  const group = `${name}.${GROUP}`;
  const definitions = crdManifests().map(({ yaml }) => under(group, yaml));
  for (const body of definitions) await transport.json({ method: 'POST', path: DEFINITIONS, body });
  for (const { spec } of definitions) {
    const path = `/apis/${group}/v1alpha1/${spec.names.plural}`;
    await eventually(() => transport.json({ method: 'GET', path }), 60_000, 50);
  }
  return {
    resource: (plural) => `${plural}.${group}`,
    transport: translated(transport, group),
    async remove() {
      for (const { metadata } of definitions) {
        await transport.json({ method: 'DELETE', path: `${DEFINITIONS}/${metadata.name}` });
      }
    },
  };
}
