/** The cluster's API server. Imported only when it is asked: the Kubernetes client is large. */
import { KubeConfig } from '@kubernetes/client-node';

interface Dispatching {
  createDispatcher(...args: readonly unknown[]): unknown;
}

/** One connection pool for all calls; by itself the client opens a new one for each (kubernetes-client/javascript#2893). */
export function withSharedConnections(config: KubeConfig): KubeConfig {
  const dispatching = config as unknown as Dispatching;
  const create = dispatching.createDispatcher.bind(config);
  let made: unknown;
  dispatching.createDispatcher = (...args) => {
    made ??= create(...args);
    return made;
  };
  return config;
}

/** The cluster this process runs in, or the one KUBECONFIG names. Throws when there is none. */
export function clusterConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  return withSharedConnections(config);
}
