import { readFile } from 'node:fs/promises';
import { writeWhole } from '../files.ts';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';

/** A kubeconfig that carries its certificates, as JSON (which is YAML). All arguments but the last are PEM texts. */
export function kubeconfigFor(authority: string, certificate: string, key: string, user: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'slipway-local',
    clusters: [
      {
        name: 'slipway-local',
        cluster: { server: addresses.apiServer, 'certificate-authority-data': base64(authority) },
      },
    ],
    users: [{ name: user, user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) } }],
    contexts: [{ name: 'slipway-local', context: { cluster: 'slipway-local', user } }],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

async function write(paths: Paths, user: string, path: string): Promise<void> {
  const pem = (file: string): Promise<string> => readFile(`${paths.pki}/${file}`, 'utf8');
  const [authority, certificate, key] = await Promise.all([pem('ca.crt'), pem(`${user}.crt`), pem(`${user}.key`)]);
  await writeWhole(path, kubeconfigFor(authority, certificate, key, user), 0o600);
}

/** Writes the kubeconfigs of the components and, at `paths.kubeconfig`, the administrator's. */
export async function writeKubeconfigs(paths: Paths): Promise<void> {
  const components = ['controller-manager', 'scheduler', 'kubelet', 'kube-proxy'];
  await Promise.all([
    write(paths, 'admin', paths.kubeconfig),
    ...components.map((user) => write(paths, user, `${paths.config}/${user}.kubeconfig`)),
  ]);
}
