import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathsFor } from '../paths.ts';
import { addresses } from './addresses.ts';
import { componentFiles, components } from './components.ts';
import { containerdConfig, podNetworkConfig } from './container-runtime.ts';
import { fullName, idInManifest, parseImageList } from './images.ts';
import { kubeconfigFor } from './kubeconfig.ts';
import { mountsBelow } from './leftovers.ts';
import { rules, withoutClusterRules } from './network.ts';
import { shimOf, withDescendants } from './orphans.ts';

const paths = pathsFor({ HOME: '/root' });

test('mounts are found innermost first, and only those below the folders', () => {
  const line = (point: string): string => `36 35 98:0 / ${point} rw,noatime master:1 - ext3 /dev/root rw`;
  const info = ['/', '/run/slipway', '/run/slipway/netns/a', '/run/slipway-other', '/run/slipway/with\\040space'].map(
    line,
  );
  assert.deepEqual(mountsBelow(info.join('\n'), ['/run/slipway']), [
    '/run/slipway/with space',
    '/run/slipway/netns/a',
    '/run/slipway',
  ]);
});

test("the cluster's chains and rules go, those of others stay", () => {
  const others = [
    '*nat',
    ':POSTROUTING ACCEPT [0:0]',
    ':DOCKER - [0:0]',
    '-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE',
  ];
  const clusters = [
    ':KUBE-SERVICES - [0:0]',
    ':CNI-HOSTPORT-DNAT - [0:0]',
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -m comment --comment slipway -j MASQUERADE',
  ];
  assert.equal(
    withoutClusterRules([...others, ...clusters, 'COMMIT', ''].join('\n')),
    [...others, 'COMMIT', ''].join('\n'),
  );
});

test('every rule of ours carries the mark by which it is removed', () => {
  for (const [, chain, ...rule] of rules) assert.equal(withoutClusterRules(`-A ${chain} ${rule.join(' ')}`), '');
});

test("a shim is ours when it reports to our runtime's socket", () => {
  const words = [
    'containerd-shim-runc-v2',
    '-namespace',
    'k8s.io',
    '-id',
    'abc',
    '-address',
    '/run/slipway/containerd.sock',
  ];
  assert.deepEqual(shimOf(words.join('\0'), '/run/slipway/containerd.sock'), { namespace: 'k8s.io', id: 'abc' });
  assert.equal(shimOf(words.join('\0'), '/run/containerd/containerd.sock'), undefined);
  assert.equal(shimOf('', ''), undefined);
});

test('descendants are found in any order', () => {
  const processes = [
    { pid: 4, parent: 3 },
    { pid: 3, parent: 2 },
    { pid: 2, parent: 1 },
    { pid: 9, parent: 1 },
  ];
  assert.deepEqual([...withDescendants([2], processes)].sort(), [2, 3, 4]);
});

test('image names are spelled out as the runtime keeps them', () => {
  assert.equal(fullName('slipway/operator:dev'), 'docker.io/slipway/operator:dev');
  assert.equal(fullName('busybox'), 'docker.io/library/busybox:latest');
  assert.equal(fullName('localhost/pause:1'), 'localhost/pause:1');
  assert.equal(fullName('registry.example:5000/a/b'), 'registry.example:5000/a/b:latest');
});

test('names and manifests are read from a listing, ids from a manifest', () => {
  const listing = 'REF TYPE DIGEST SIZE\ndocker.io/a/b:1 application/x sha256:aa 1.0 MiB linux/amd64\n';
  assert.deepEqual([...parseImageList(listing)], [['docker.io/a/b:1', 'sha256:aa']]);
  assert.equal(idInManifest('{"config":{"digest":"sha256:bb"}}'), 'sha256:bb');
});

test("pods' addresses come from below the folder that a stop removes", () => {
  const network = JSON.parse(podNetworkConfig(paths)) as { plugins: { ipam?: { dataDir: string } }[] };
  assert.ok(network.plugins[0]?.ipam?.dataDir.startsWith(`${paths.run}/`));
});

test('containerd keeps its state to itself and accepts a machine without special rights', () => {
  const config = containerdConfig(paths);
  assert.match(config, /restrict_oom_score_adj = true/);
  assert.match(config, /netns_mounts_under_state_dir = true/);
  assert.ok(config.includes(`address = "${paths.containerdSocket}"`));
});

test('masquerading all Services is only for bridges that iptables does not see', () => {
  const masqueradesAll = (filtered: boolean): boolean =>
    (JSON.parse(componentFiles(paths, filtered)['kube-proxy.json'] ?? '') as { iptables: { masqueradeAll: boolean } })
      .iptables.masqueradeAll;
  assert.equal(masqueradesAll(true), false);
  assert.equal(masqueradesAll(false), true);
});

test('a changed configuration is part of what its process is started from', () => {
  const files = { 'kubelet.json': 'one' };
  const { clients } = components(paths, (name) => `/bin/${name}`, files);
  assert.equal(clients.find(({ name }) => name === 'kubelet')?.configuration, 'one');
});

test('a kubeconfig carries its certificates', () => {
  const config = JSON.parse(kubeconfigFor('CA', 'CERT', 'KEY', 'admin')) as {
    clusters: { cluster: Record<string, string> }[];
  };
  const { cluster } = config.clusters[0] ?? { cluster: {} };
  assert.equal(cluster.server, addresses.apiServer);
  assert.equal(Buffer.from(cluster['certificate-authority-data'] ?? '', 'base64').toString(), 'CA');
});
