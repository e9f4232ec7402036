/** InferenceService: what answers. */
import { EngineChoice } from '@slipway/contract';
import { z } from 'zod';
import { commonStatus, customResource, MAX_NAME_LENGTH } from '../../api/custom-resource.ts';
import {
  atomic,
  cel,
  Duration,
  ObjectName,
  RegisteredModelName,
  Resources,
  together,
  VersionSelector,
} from '../../api/fields.ts';
import { PredictionLog } from './spec/prediction-log.ts';
import { Runtime, runtimeRules } from './spec/runtime.ts';

/** All of the settings reach the pods as one variable, which the kernel allows 128 KiB. */
export const MOST_ACCOUNT_CHARACTERS = 32_768;

const Origin = z
  .string()
  .max(256)
  .meta(
    cel({
      rule: "self == '*' || self.matches('^[a-z][a-z0-9+.-]*://([a-z0-9_-]+([.][a-z0-9_-]+)*|[[][0-9a-f:.]+[]])(:[0-9]{1,5})?$')",
      message:
        'an origin is a scheme, a host and perhaps a port in small letters, without a path or a final slash, like https://app.example; or * for all',
    }),
  );

const Accounts = z
  .string()
  .max(320)
  .meta(
    cel({
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/([*]|[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$')",
      message: 'a service account is written namespace/name, or namespace/* for all of a namespace',
    }),
  );

/** What tokens of clients are made for; not that of the pods' own tokens, which the operator alone takes. */
const TOKEN_AUDIENCE = 'slipway-predict';

const Auth = z
  .object({
    apiKeys: z
      .object({
        secretName: ObjectName.describe(
          'A Secret of the namespace: each key of its data names a client, the value is what the client sends as x-api-key or as bearer token; at least 16 characters. Read again when it changes, within a minute or two.',
        ),
      })
      .exactOptional()
      .describe('Clients send a key.'),
    tokens: z
      .object({
        audience: z
          .string()
          .min(1)
          .max(256)
          .default(TOKEN_AUDIENCE)
          .meta(
            cel({
              rule: "self != 'slipway'",
              message:
                'slipway is the audience of tokens for the operator, which clients must not hand to a model server: write another, like slipway-predict',
            }),
          )
          .describe('What the tokens have to be made for: kubectl create token <account> --audience=slipway-predict.'),
        serviceAccounts: z
          .array(Accounts)
          .min(1)
          .max(256)
          .meta({ ...atomic, ...cel(together(MOST_ACCOUNT_CHARACTERS, 'the service accounts')) })
          .describe('Whose tokens are taken: namespace/name, or namespace/* for all of a namespace.'),
      })
      .exactOptional()
      .describe(
        'Clients send the token of a service account of this cluster as bearer token. It is checked in the pod, and good until it expires.',
      ),
  })
  .meta(cel({ rule: 'has(self.apiKeys) || has(self.tokens)', message: 'auth has to set apiKeys, tokens or both' }));

export const InferenceServiceSpec = z
  .object({
    model: RegisteredModelName.describe('The registered model to serve.'),
    version: VersionSelector.default('latest').describe(
      'latest (the newest version that is ready, not archived, did not fail its gates and was not rejected), a number, a stage (its highest ready number), or an alias like @champion.',
    ),
    replicas: z.int().min(0).max(1000).default(1).describe('How many pods answer.'),
    resources: Resources.exactOptional().describe(
      'CPU and memory of the model server. Default: 100m and 128Mi requested, at most 512Mi of memory; with runtime 256Mi and 2Gi.',
    ),
    runtime: Runtime.exactOptional().describe(
      'A server image of your own answers instead of the built-in server: any version whose bytes are known by digest is served, ONNX or not. Absent: the built-in server. Another value rolls the pods.',
    ),
    engine: EngineChoice.default('auto').describe(
      'What computes the model. auto: plain JavaScript made from the graph where it proves equal to onnxruntime at load, else onnxruntime. compiled: as auto, but a version that cannot be compiled is rejected. onnxruntime: always that. Another value rolls the pods.',
    ),
    predictionLog: PredictionLog.exactOptional().describe(
      'One JSON line for every prediction, on the standard output of the server. Written in full unless this says otherwise; a change rolls the pods.',
    ),
    autoscaling: z
      .object({
        minReplicas: z.int().min(1).max(1000).default(1).describe('Never fewer pods.'),
        maxReplicas: z.int().min(1).max(1000).describe('Never more pods.'),
        targetCPUUtilization: z
          .int()
          .min(1)
          .max(1000)
          .default(80)
          .describe('Per cent of the CPU request of the model server that its pods are to use on average.'),
      })
      .meta(
        cel({
          rule: 'self.minReplicas <= self.maxReplicas',
          message: 'autoscaling.minReplicas must not be above autoscaling.maxReplicas',
          fieldPath: '.minReplicas',
        }),
      )
      .exactOptional()
      .describe(
        'A HorizontalPodAutoscaler on CPU writes spec.replicas: leave replicas out of the manifest then. replicas: 0 stops the service all the same; removing this keeps the number of pods.',
      ),
    rollout: z
      .object({
        progressDeadline: Duration.default('2m').describe(
          'How long a version may take to become ready before it is rejected.',
        ),
      })
      .default({ progressDeadline: '2m' })
      .describe('How a new version is brought in.'),
    api: z
      .object({
        trainingJob: ObjectName.exactOptional().describe(
          'POST /train starts runs of this TrainingJob of the namespace. Absent: it is refused. Setting or removing it rolls the pods.',
        ),
        allowVersionSwitch: z
          .boolean()
          .exactOptional()
          .describe(
            'POST /model/version sets spec.version for whoever reaches the service. Absent or false: it is refused. Changing it rolls the pods.',
          ),
      })
      .exactOptional()
      .describe('What clients of the service may ask for beside predictions.'),
    auth: Auth.exactOptional().describe(
      'Who may ask for anything but health, metrics, pings and the page at /docs: whoever meets one of the ways that are set. Absent: whoever reaches the service. Setting, removing or changing it rolls the pods; what the Secrets hold may change without that.',
    ),
    tls: z
      .object({
        secretName: ObjectName.describe(
          'A Secret of type kubernetes.io/tls in the namespace; read again when it changes, within a minute or two.',
        ),
      })
      .exactOptional()
      .describe(
        'Only https is spoken, on port 443 of the Service. Absent: http on port 80. Setting or removing it rolls the pods and changes status.url.',
      ),
    cors: z
      .object({
        origins: z
          .array(Origin)
          .min(1)
          .max(32)
          .meta(atomic)
          .describe('Origins like https://app.example whose pages may call; *: all.'),
      })
      .exactOptional()
      .describe('Which web pages may call from a browser. Absent: none of another origin. A change rolls the pods.'),
  })
  .meta(cel(...runtimeRules));
export type InferenceServiceSpec = z.infer<typeof InferenceServiceSpec>;

const Rejection = z.object({
  version: z.int().min(1).describe('The version that was turned down.'),
  digest: z.string().max(64).describe('Digest of its artifact: other bytes are tried again.'),
  wanted: z
    .string()
    .max(256)
    .describe('What spec.version said: asking for another version and for this one again tries again.'),
  settings: z
    .string()
    .max(64)
    .describe('Digest of spec.resources, spec.rollout and how to answer: other settings try again.'),
  retry: z.string().max(64).exactOptional().describe('The slipway.dev/retry it was tried for.'),
  reason: z.string().max(128).describe('Why.'),
  message: z.string().max(4096).describe('In words.'),
  time: z.string().max(64).describe('When.'),
});
export type Rejection = z.infer<typeof Rejection>;

export const InferenceServiceStatus = z.object({
  ...commonStatus,
  version: z.int().min(1).exactOptional().describe('The version that answers.'),
  digest: z.string().max(64).exactOptional().describe('Digest of its artifact.'),
  previousVersion: z.int().min(1).exactOptional().describe('The version that answered before.'),
  rollout: z
    .object({
      version: z.int().min(1).describe('Its number.'),
      digest: z.string().max(64).describe('Digest of its artifact.'),
      startTime: z.string().max(64).describe('Since when.'),
    })
    .exactOptional()
    .describe('The version that is being brought in.'),
  url: z.string().max(512).exactOptional().describe('Where it answers inside the cluster.'),
  endpoints: z
    .array(
      z.object({
        protocol: z.string().max(64).describe('What is spoken there.'),
        url: z.string().max(512).describe('Where to send requests.'),
      }),
    )
    .max(8)
    .exactOptional()
    .meta(atomic)
    .describe('One URL per protocol, ready to paste.'),
  replicas: z.int().min(0).exactOptional().describe('Pods that exist.'),
  readyReplicas: z.int().min(0).exactOptional().describe('Pods that answer.'),
  selector: z.string().max(512).exactOptional().describe('Label selector of the pods.'),
  rejected: z
    .array(Rejection)
    .max(10)
    .exactOptional()
    .meta(atomic)
    .describe('Versions that were turned down, newest first.'),
  history: z
    .array(
      z.object({
        version: z.int().min(1).describe('Its number.'),
        time: z.string().max(64).describe('Since when it answered.'),
      }),
    )
    .max(10)
    .exactOptional()
    .meta(atomic)
    .describe('Versions that answered, newest first, and since when.'),
});
export type InferenceServiceStatus = z.infer<typeof InferenceServiceStatus>;

/** Summary: the wanted version answers on all replicas. */
export const READY = 'Ready';
/** Some proven version answers. */
export const AVAILABLE = 'Available';
/** A version is being brought in. */
export const PROGRESSING = 'Progressing';
/** With spec.autoscaling: the autoscaler can tell how many pods are needed. */
export const AUTOSCALED = 'Autoscaled';
/** False while the cluster's keys, by which spec.auth.tokens are checked, cannot be renewed; absent otherwise. */
export const TOKEN_KEYS_RENEWED = 'TokenKeysRenewed';

export const Reason = {
  Serving: 'Serving',
  RollingOut: 'RollingOut',
  RolloutComplete: 'RolloutComplete',
  Stopped: 'Stopped',
  ModelNotFound: 'ModelNotFound',
  VersionNotFound: 'VersionNotFound',
  VersionNotReady: 'VersionNotReady',
  VersionRejected: 'VersionRejected',
  NoReplicaAnswers: 'NoReplicaAnswers',
  OutOfMemory: 'OutOfMemory',
  CrashLoop: 'CrashLoop',
  FetchFailed: 'FetchFailed',
  PodsRefused: 'PodsRefused',
  ConfigurationError: 'ConfigurationError',
  ImagePull: 'ImagePull',
  Unschedulable: 'Unschedulable',
  PostgresUnavailable: 'PostgresUnavailable',
  ObjectStorageUnavailable: 'ObjectStorageUnavailable',
  ObjectStorageDenied: 'ObjectStorageDenied',
  BucketMissing: 'BucketMissing',
  NameTaken: 'NameTaken',
  Autoscaling: 'Autoscaling',
  MetricsUnavailable: 'MetricsUnavailable',
} as const;

/** A version's number lets a rejected version be tried again, once per value; anything after the number (`2-again`) makes a new value. */
export const RETRY_ANNOTATION = 'slipway.dev/retry';

export const InferenceService = customResource({
  kind: 'InferenceService',
  plural: 'inferenceservices',
  singular: 'inferenceservice',
  shortNames: ['infsvc'],
  description:
    'InferenceService serves one version of a model over HTTP and rolls to another without losing a request.',
  spec: InferenceServiceSpec,
  status: InferenceServiceStatus,
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.status.selector' },
  rules: [
    {
      rule: `self.metadata.name.size() <= ${MAX_NAME_LENGTH} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')`,
      message: `metadata.name becomes the name of a Service: at most ${MAX_NAME_LENGTH} lower-case letters, digits and hyphens, beginning with a letter`,
    },
  ],
  columns: [
    { name: 'Model', type: 'string', jsonPath: '.spec.model', description: 'Registered model' },
    { name: 'Wanted', type: 'string', jsonPath: '.spec.version', description: 'Version asked for' },
    { name: 'Version', type: 'integer', jsonPath: '.status.version', description: 'Version that answers' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'The wanted version answers on all replicas',
    },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', description: 'Why' },
    { name: 'Replicas', type: 'integer', jsonPath: '.status.readyReplicas', description: 'Pods that answer' },
    { name: 'URL', type: 'string', jsonPath: '.status.url', description: 'Where it answers inside the cluster' },
    {
      name: 'Prev',
      type: 'integer',
      jsonPath: '.status.previousVersion',
      description: 'Version that answered before',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'In words',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since creation' },
  ],
});
export type InferenceService = ReturnType<typeof InferenceService.parse>;
