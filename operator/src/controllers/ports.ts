/** What controllers need beside the cluster. main.ts builds it once and hands it to every factory. */
import type { DataSetFinder, RequestStore, RunStore, UseStore, VersionStore } from '@slipway/database';
import type { ResourceRequirements } from '../api/containers.ts';
import type { DependencyHealth } from '../api/health.ts';
import type { KubeObject } from '../api/meta.ts';

/** How Python models are converted to ONNX. */
export interface ConverterSettings {
  readonly image: string;
  readonly resources: ResourceRequirements;
  /** How long the model may take to be loaded, converted and compared. */
  readonly timeoutSeconds: number;
  /** How long a conversion may take with all its attempts. */
  readonly deadlineSeconds: number;
  /** How many conversions go on at once, in all namespaces together. */
  readonly maxParallel: number;
}

/** What the administrator chose for the pods the operator makes. */
export interface Settings {
  readonly trainerImage: string;
  readonly servingImage: string;
  /** Absent: nothing is converted, whatever a namespace allows. */
  readonly converter?: ConverterSettings;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  readonly bucket: string;
  /** Where serving pods reach this operator's control API. */
  readonly operatorUrl: string;
  /** Where pods reach the registry; absent: user containers are told of no tracking server. */
  readonly registryUrl?: string;
  /** Signs the tokens by which user containers log into their runs; absent: the registry asks for none. */
  readonly runTokenKey?: string;
  /** `host` or `host:port` an https:// input may come from; absent: none. */
  readonly httpsInputHosts?: readonly string[];
  /** Address ranges below which such a host may lie although they are not public: an internal mirror's. */
  readonly httpsInputCidrs?: readonly string[];
}

export interface TrainingCounters {
  /** `outcome` is succeeded, failed or killed. */
  runEnded(cause: string, outcome: string): void;
  slaMissed(): void;
}

export interface ControllerDeps {
  readonly runs: RunStore;
  readonly versions: VersionStore;
  readonly uses: UseStore;
  readonly requests: Pick<RequestStore, 'find' | 'pending' | 'refuse'>;
  readonly dataSets: DataSetFinder;
  /** Puts the tenant's Secrets into the namespace. Cheap when they are there already. */
  readonly tenants: { ensure(namespace: string): Promise<void> };
  /** Keeps the cluster's public keys in the namespace while one of `owners` is there. Cheap when they are there already. */
  readonly tokenKeys: { ensure(namespace: string, owners: readonly KubeObject[]): Promise<void> };
  /** From the API server: a namespace on its way out takes its objects with it, but not the rows they mirror. */
  readonly namespaces: { isBeingDeleted(namespace: string): Promise<boolean> };
  readonly conversions: {
    /** True when the namespace's administrator lets Python models be unpickled there; what was said some seconds ago counts. */
    mayConvert(namespace: string): Promise<boolean>;
    /** Keeps the NetworkPolicy of conversions in the namespace while one of `owners` is there. Cheap when it is there already. */
    ensurePolicy(namespace: string, owners: readonly KubeObject[]): Promise<void>;
  };
  /** What is counted of training, each transition once. */
  readonly counters: TrainingCounters;
  /** The monitor's last word; never does IO. */
  readonly health: () => DependencyHealth;
  readonly settings: Settings;
}
