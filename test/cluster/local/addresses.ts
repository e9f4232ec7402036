/**
 * Addresses of the local cluster. The node's address is that of the bridge its pods hang on, so the cluster does not
 * depend on the machine's own network, which may be another one after a restart.
 */
export const addresses = {
  nodeName: 'slipway',
  node: '10.244.0.1',
  podBridge: 'slipway0',
  pods: '10.244.0.0/24',
  services: '10.96.0.0/16',
  apiService: '10.96.0.1',
  dns: '10.96.0.10',
  dockerBridge: 'slipway1',
  docker: '10.243.0.1',
  containers: '10.243.0.0/24',
  apiServer: 'https://10.244.0.1:6443',
  etcdClient: 'http://127.0.0.1:22379',
  etcdPeer: 'http://127.0.0.1:22380',
} as const;
