/** The ways of installing that every rule about the chart has to hold for. */
import type { Values } from './helm.ts';

export const external = {
  postgres: {
    bundled: false,
    host: 'postgres.databases.svc',
    port: 6432,
    database: 'models',
    sslMode: 'require',
    existingSecret: 'our-postgres',
    existingSecretKeys: { username: 'user', password: 'pass' },
  },
  objectStorage: {
    bundled: false,
    endpoint: 'https://s3.eu-central-1.amazonaws.com',
    region: 'eu-central-1',
    bucket: 'our-models',
    existingSecret: 'our-s3',
    existingSecretKeys: { accessKey: 'id', secretKey: 'key' },
  },
} as const satisfies Values;

export const valueSets: Readonly<Record<string, Values>> = {
  defaults: {},
  'stores of our own': external,
  'watched namespaces': { operator: { watchNamespaces: ['team-a', 'team-b'], replicas: 2 } },
  'users of our own': { registry: { auth: 'secret', authSecret: 'people', replicas: 2 } },
  'everything switched': {
    commonLabels: { team: 'ml' },
    image: { registry: 'registry.example.com/mirror', pullSecrets: ['pull'], pullPolicy: 'Always' },
    operator: {
      replicas: 2,
      podDisruptionBudget: { enabled: true },
      serviceAccount: { annotations: { 'example.com/role': 'x' } },
      nodeSelector: { pool: 'ml' },
      tolerations: [{ key: 'ml', operator: 'Exists' }],
      priorityClassName: 'high',
      podAnnotations: { 'example.com/scrape': 'true' },
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=256' }],
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
      ],
    },
    registry: { auth: 'none', replicas: 2, podDisruptionBudget: { enabled: true } },
    postgres: { persistence: { enabled: false } },
    objectStorage: { persistence: { existingClaim: 'models' } },
    crds: { keep: false },
    rbac: { aggregate: false },
  },
};
