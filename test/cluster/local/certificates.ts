import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { run } from '../exec.ts';
import { exists } from '../files.ts';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';

interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly subjectAltNames?: readonly string[];
}

/** By this name the API server speaks to the servers of aggregated APIs, for the metrics API is one. */
export const FRONT_PROXY = 'front-proxy-client';

const serverNames = [
  'DNS:kubernetes',
  'DNS:kubernetes.default',
  'DNS:kubernetes.default.svc',
  'DNS:kubernetes.default.svc.cluster.local',
  'DNS:localhost',
  'IP:127.0.0.1',
  `IP:${addresses.apiService}`,
  `IP:${addresses.node}`,
];

/** All certificates that the cluster's authority signs; organisations are Kubernetes groups. */
export const certificates: readonly Certificate[] = [
  { name: 'apiserver', subject: '/CN=kube-apiserver', subjectAltNames: serverNames },
  { name: 'apiserver-kubelet-client', subject: '/O=system:masters/CN=kube-apiserver-kubelet-client' },
  { name: 'admin', subject: '/O=system:masters/CN=slipway-admin' },
  { name: 'controller-manager', subject: '/CN=system:kube-controller-manager' },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
  { name: 'kubelet', subject: `/O=system:nodes/CN=system:node:${addresses.nodeName}` },
  { name: 'kube-proxy', subject: '/CN=system:kube-proxy' },
  { name: 'front-proxy', subject: `/CN=${FRONT_PROXY}` },
];

const years = ['-days', '3650'];

async function newKey(folder: string, name: string): Promise<void> {
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  await run('openssl', ['genpkey', ...curve, '-out', `${folder}/${name}.key`]);
}

async function makeAuthority(folder: string): Promise<void> {
  await newKey(folder, 'ca');
  const subject = ['-subj', '/CN=slipway-local'];
  await run('openssl', [
    'req',
    '-x509',
    '-new',
    ...years,
    '-key',
    `${folder}/ca.key`,
    ...subject,
    '-out',
    `${folder}/ca.crt`,
  ]);
}

async function sign(folder: string, { name, subject, subjectAltNames }: Certificate): Promise<void> {
  await newKey(folder, name);
  const file = (ending: string): string => `${folder}/${name}.${ending}`;
  const names = subjectAltNames ? `subjectAltName=${subjectAltNames.join(',')}\n` : '';
  const usage = 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n';
  await writeFile(file('ext'), `basicConstraints=CA:FALSE\n${usage}${names}`);
  await run('openssl', ['req', '-new', '-key', file('key'), '-subj', subject, '-out', file('csr')]);
  const authority = ['-CA', `${folder}/ca.crt`, '-CAkey', `${folder}/ca.key`, '-set_serial', `0x${serial()}`];
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    file('csr'),
    ...authority,
    ...years,
    '-extfile',
    file('ext'),
    '-out',
    file('crt'),
  ]);
}

/** Certificates are signed side by side, so their serial numbers cannot come from a shared file. */
function serial(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(1);
}

async function makeServiceAccountKeys(folder: string): Promise<void> {
  await run('openssl', ['genrsa', '-out', `${folder}/service-accounts.key`, '2048']);
  await run('openssl', [
    'rsa',
    '-in',
    `${folder}/service-accounts.key`,
    '-pubout',
    '-out',
    `${folder}/service-accounts.pub`,
  ]);
}

/** What an earlier version of this list did not have. */
async function signMissing(folder: string): Promise<void> {
  for (const certificate of certificates) {
    if (!(await exists(`${folder}/${certificate.name}.crt`))) await sign(folder, certificate);
  }
}

/** Makes the authority, the certificates and the service accounts' keys once; the folder appears when it is complete. */
export async function ensureCertificates(paths: Paths): Promise<void> {
  if (await exists(paths.pki)) return signMissing(paths.pki);
  await mkdir(paths.state, { recursive: true });
  const folder = await mkdtemp(`${paths.state}/.pki-`);
  try {
    await makeAuthority(folder);
    await Promise.all([
      makeServiceAccountKeys(folder),
      ...certificates.map((certificate) => sign(folder, certificate)),
    ]);
    await rename(folder, paths.pki);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
