/** What is measured: groups of servers that answer the same question, in turn. */
import { KINDS, type KindName } from './kinds.ts';
import { MODELS, type ModelName } from './models.ts';
import type { Role, ServerName } from './servers.ts';

export interface Group {
  readonly model: ModelName;
  readonly kind: KindName;
  readonly rows: number;
  readonly connections: number;
  readonly servers: readonly ServerName[];
}

/** The group's name in the file of results. */
export const groupId = ({ model, kind, rows, connections }: Omit<Group, 'servers'>): string =>
  `${model} ${kind} ${rows} rows ${connections} connections`;

const PREDICT_PEERS: readonly ServerName[] = [
  'express',
  'fastapi-sklearn',
  'fastapi-onnxruntime',
  'bentoml',
  'litserve',
];
const FLOORS: readonly ServerName[] = ['bare-http', 'constant', 'raw-net'];

/** Who else answers a kind of request. */
export const peersOf: Readonly<Record<KindName, readonly ServerName[]>> = {
  predict: PREDICT_PEERS,
  v2: ['mlserver', 'mlserver-batching', 'kserve'],
  'v2-binary': ['kserve'],
  v1: ['kserve'],
  'invocations-split': ['mlflow'],
  'invocations-records': ['mlflow'],
};

const group = (
  model: ModelName,
  kind: KindName,
  rows: number,
  connections: number,
  extra: readonly ServerName[] = [],
): Group => ({ model, kind, rows, connections, servers: ['slipway', ...extra, ...peersOf[kind]] });

/** Models of which the one that our converter made of MLflow's is served too, each with the group that compares them. */
export const CONVERTED: Partial<Readonly<Record<ModelName, Omit<Group, 'servers'>>>> = {
  lr: { model: 'lr', kind: 'invocations-split', rows: 1, connections: 64 },
  rf500: { model: 'rf500', kind: 'invocations-split', rows: 1, connections: 64 },
};
const convertedOf = (model: ModelName, kind: KindName): readonly ServerName[] =>
  CONVERTED[model]?.kind === kind ? ['slipway-converted'] : [];

/** The cells that the targets speak of. Those of the grid have all servers that it asks. */
export function quickGroups(): Group[] {
  return [
    group('lr', 'predict', 1, 64, ['slipway-onnxruntime', 'slipway-no-log', ...FLOORS]),
    group('lr', 'predict', 1, 1, ['bare-http']),
    group('rf100', 'predict', 1, 64, ['slipway-onnxruntime']),
    ...KINDS.filter((kind) => kind !== 'predict' && kind !== 'v2-binary').map((kind) =>
      group('lr', kind, 1, 64, convertedOf('lr', kind)),
    ),
    group('rf500', 'invocations-split', 1, 64, convertedOf('rf500', 'invocations-split')),
    // Rows that were predicted are written down too: the more of them, the more the log is of the whole.
    ...KINDS.map((kind) => group('lr', kind, 1024, 16, kind.startsWith('v2') ? ['slipway-no-log'] : [])),
  ];
}

/** Every protocol, number of rows, number of connections and model, against every peer. */
export function gridGroups(): Group[] {
  return MODELS.flatMap((model) =>
    KINDS.flatMap((kind) =>
      [1, 32, 1024].flatMap((rows) => [1, 16, 64, 256].map((connections) => group(model, kind, rows, connections))),
    ),
  );
}

/** Groups that share servers, so that each is started once for all of them. */
export function byServers(groups: readonly Group[]): Group[][] {
  const together = new Map<string, Group[]>();
  for (const each of groups) {
    const key = `${each.model} ${each.kind}`;
    together.set(key, [...(together.get(key) ?? []), each]);
  }
  return [...together.values()];
}

/** Order in tables: ours, what it is made of, then the others. */
export const ROLE_ORDER: readonly Role[] = ['ours', 'variant', 'floor', 'peer'];
