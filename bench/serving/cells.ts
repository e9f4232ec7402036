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
  peers = peersOf[kind],
): Group => ({ model, kind, rows, connections, servers: ['slipway', ...extra, ...peers] });

/** The cells that the targets speak of. */
export function quickGroups(): Group[] {
  return [
    group('lr', 'predict', 1, 64, ['slipway-onnxruntime', 'slipway-no-log', ...FLOORS]),
    group('lr', 'predict', 1, 1, ['bare-http'], ['express', 'fastapi-sklearn', 'fastapi-onnxruntime']),
    group('rf100', 'predict', 1, 64, ['slipway-onnxruntime'], ['express', 'fastapi-sklearn', 'fastapi-onnxruntime']),
    ...KINDS.filter((kind) => kind !== 'predict' && kind !== 'v2-binary').map((kind) => group('lr', kind, 1, 64)),
    // Rows that were predicted are written down too: the more of them, the more the log is of the whole.
    ...KINDS.map((kind) => group('lr', kind, 1024, 16, kind.startsWith('v2') ? ['slipway-no-log'] : [])),
  ];
}

/** Every protocol, number of rows, number of connections and model, against every peer: hours. */
export function gridGroups(): Group[] {
  return MODELS.flatMap((model) =>
    KINDS.flatMap((kind) =>
      [1, 32, 1024].flatMap((rows) => [1, 16, 64, 256].map((connections) => group(model, kind, rows, connections))),
    ),
  );
}

/** Both, each cell once with the servers of both. */
export function allGroups(): Group[] {
  const merged = new Map<string, Group>();
  for (const each of [...quickGroups(), ...gridGroups()]) {
    const servers = new Set([...(merged.get(groupId(each))?.servers ?? []), ...each.servers]);
    merged.set(groupId(each), { ...each, servers: [...servers] });
  }
  return [...merged.values()];
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
