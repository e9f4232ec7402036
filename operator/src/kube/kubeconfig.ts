import { KubeConfig } from '@kubernetes/client-node';

export { KubeConfig };

/** KUBECONFIG, ~/.kube/config or, inside a pod, its ServiceAccount. Throws when it names no cluster. */
export function loadKubeConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  if (!config.getCurrentCluster()) throw new Error('no Kubernetes cluster: set KUBECONFIG, or run inside one');
  return config;
}
