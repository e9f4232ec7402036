/** From objects to the facts a decision is made from. Pure. */
import { shortHash } from '@slipway/contract';
import { type Deployment, isRolledOut, podsRefused } from '../../api/deployment.ts';
import { durationSeconds } from '../../api/fields.ts';
import type { DependencyHealth } from '../../api/health.ts';
import { type HorizontalPodAutoscaler, scalingActive } from '../../api/horizontal-pod-autoscaler.ts';
import { isControlledBy } from '../../api/meta.ts';
import type { Pod } from '../../api/pod.ts';
import type { ModelVersion } from '../model-version/api.ts';
import { knownOutage } from '../outage.ts';
import type { Settings } from '../ports.ts';
import { type InferenceService, RETRY_ANNOTATION } from './api.ts';
import { wantedReplicas } from './autoscaling.ts';
import { deploymentFor, releaseOf, templateOf } from './deployment.ts';
import { podFacts } from './pods.ts';
import { serveSettingsEnv } from './serve-settings.ts';
import type { DeploymentFacts, Memory, Situation, Wanted } from './situation.ts';
import { versionFacts } from './versions.ts';

export interface Observed {
  readonly owner: InferenceService;
  /** The versions of the model in the namespace. */
  readonly versions: readonly ModelVersion[];
  /** The Deployment the owner controls. */
  readonly deployment: Deployment | undefined;
  readonly pods: readonly Pod[];
  /** All of the namespace, whoever made them. */
  readonly autoscalers: readonly HorizontalPodAutoscaler[];
}

/** What is beside the cluster: the administrator's settings, the monitor's last word, the time. */
interface Surroundings {
  readonly settings: Settings;
  readonly health: DependencyHealth;
  readonly now: Date;
}

export function situationOf(observed: Observed, { settings, health, now }: Surroundings): Situation {
  const { owner, versions, deployment, pods } = observed;
  const storageOutage = knownOutage('objectStorage', health);
  const autoscaler = observed.autoscalers.find((one) => isControlledBy(one, owner));
  const scaling = owner.spec.autoscaling && autoscaler && scalingActive(autoscaler);
  return {
    wanted: { ...wantedBy(owner), replicas: wantedReplicas(owner, deployment, observed.autoscalers) },
    versions: versionFacts(versions, owner.spec),
    ...(deployment && { deployment: deploymentFacts(owner, deployment, settings) }),
    pods: podFacts(pods),
    memory: memoryOf(owner),
    ...(scaling && { scaling }),
    ...(storageOutage && { storageOutage }),
    now,
  };
}

function wantedBy(owner: InferenceService): Wanted {
  const { metadata, spec } = owner;
  const { resources, rollout, runtime } = spec;
  const retry = metadata.annotations?.[RETRY_ANNOTATION];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    model: spec.model,
    version: /^[0-9]+$/.test(String(spec.version)) ? Number(spec.version) : spec.version,
    replicas: spec.replicas,
    progressDeadlineSeconds: durationSeconds(rollout.progressDeadline),
    settings: shortHash(JSON.stringify({ resources, rollout, ...serveSettingsEnv(owner), runtime }), 16),
    ...(retry !== undefined && { retry }),
  };
}

function deploymentFacts(owner: InferenceService, deployment: Deployment, settings: Settings): DeploymentFacts {
  const release = releaseOf(deployment);
  const template = templateOf(deployment);
  const refused = podsRefused(deployment);
  return {
    ...(release && { release }),
    template,
    isCurrent: release !== undefined && templateOf(deploymentFor(owner, release, settings)) === template,
    replicas: deployment.spec.replicas,
    isRolledOut: isRolledOut(deployment),
    ...(refused !== undefined && { podsRefused: refused }),
  };
}

/** What the last look left in the status. */
export function memoryOf({ status }: InferenceService): Memory {
  const { version, digest, rollout, rejected = [], history, previousVersion: previous } = status ?? {};
  const serving = version !== undefined && digest !== undefined ? { version, digest } : undefined;
  const newest = history?.[0];
  return {
    ...(serving && { serving }),
    ...(newest && newest.version === version && { since: newest.time }),
    ...(previous !== undefined && { previous }),
    ...(rollout && { rollout }),
    rejected,
  };
}
