/** What is wanted, what is there and what is remembered: all that is decided from. */
import type { Outage } from '../outage.ts';
import type { Rejection } from './api.ts';
import type { PodFacts } from './pods.ts';
import type { Asked } from './rejections.ts';
import type { Release, ReleaseId } from './release.ts';
import type { VersionFacts } from './versions.ts';

export interface Wanted extends Asked {
  readonly replicas: number;
  readonly progressDeadlineSeconds: number;
}

/** The Deployment of ours that is there. */
export interface DeploymentFacts {
  /** What its pods are made from; absent when it does not say. */
  readonly release?: Release;
  readonly template: string;
  /** Its template is the one this operator would make for that release now. */
  readonly isCurrent: boolean;
  readonly replicas: number;
  /** Its controller reports every wanted pod to be of this template and available, and no other. */
  readonly isRolledOut: boolean;
  /** Why its pods are not even made. */
  readonly podsRefused?: string;
}

export interface Rollout extends ReleaseId {
  readonly startTime: string;
}

/** What the status remembers between two looks. */
export interface Memory {
  readonly serving?: ReleaseId;
  /** Since when it has. */
  readonly since?: string;
  /** The number of what answered before it. */
  readonly previous?: number;
  readonly rollout?: Rollout;
  readonly rejected: readonly Rejection[];
}

export interface Situation {
  readonly wanted: Wanted;
  readonly versions: readonly VersionFacts[];
  readonly deployment?: DeploymentFacts;
  readonly pods: readonly PodFacts[];
  readonly memory: Memory;
  /** What the autoscaler of ours says of itself, once it has looked. */
  readonly scaling?: { readonly active: boolean; readonly message: string };
  /** What is known to be wrong with the object storage. */
  readonly storageOutage?: Outage;
  readonly now: Date;
}
