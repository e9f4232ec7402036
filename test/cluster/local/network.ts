import { run, succeeds } from '../exec.ts';
import { readIfThere } from '../files.ts';
import { addresses } from './addresses.ts';

const mark = ['-m', 'comment', '--comment', 'slipway'];

/** iptables rules that let pods and containers out; the first word is the table. */
export const rules: readonly (readonly string[])[] = [
  ['nat', 'POSTROUTING', '-s', addresses.pods, '!', '-d', addresses.pods, ...mark, '-j', 'MASQUERADE'],
  ['nat', 'POSTROUTING', '-s', addresses.containers, '!', '-d', addresses.containers, ...mark, '-j', 'MASQUERADE'],
  // Another Docker Engine on the machine may have set the policy to DROP.
  ...[addresses.pods, addresses.containers].flatMap((range) => [
    ['filter', 'FORWARD', '-s', range, ...mark, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-d', range, ...mark, '-j', 'ACCEPT'],
  ]),
];

async function ensureBridge(name: string, address: string): Promise<void> {
  if (!(await succeeds('ip', ['link', 'show', name]))) await run('ip', ['link', 'add', name, 'type', 'bridge']);
  await run('ip', ['addr', 'replace', `${address}/24`, 'dev', name]);
  await run('ip', ['link', 'set', name, 'up']);
}

async function ensureRule([table, chain, ...rule]: readonly string[]): Promise<void> {
  const call = (verb: string): string[] => ['-w', '-t', table ?? '', verb, chain ?? '', ...rule];
  if (!(await succeeds('iptables', call('-C')))) await run('iptables', call('-I'));
}

/** Makes the bridges, routes and rules that must exist before the first process starts. */
export async function ensureNetwork(): Promise<void> {
  await run('modprobe', ['-a', 'br_netfilter', 'overlay'], { mayFail: true });
  await run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  await run('sysctl', ['-qw', 'net.bridge.bridge-nf-call-iptables=1'], { mayFail: true });
  await ensureBridge(addresses.podBridge, addresses.node);
  await ensureBridge(addresses.dockerBridge, addresses.docker);
  // Without a route there is nothing to translate: on a machine without a network Services would be unreachable.
  await run('ip', ['route', 'replace', addresses.services, 'dev', addresses.podBridge]);
  for (const rule of rules) await ensureRule(rule);
}

/** Whether iptables sees what a bridge forwards. */
export async function bridgeIsFiltered(): Promise<boolean> {
  return (await readIfThere('/proc/sys/net/bridge/bridge-nf-call-iptables'))?.trim() === '1';
}

const clusterChain = /(^|\s)(:?KUBE-|:?CNI-)/;

/** An iptables-save text without the chains and rules that Kubernetes and its network plug-ins made, nor ours. */
export function withoutClusterRules(saved: string): string {
  const kept = saved.split('\n').filter((line) => {
    const isRule = line.startsWith('-') || line.startsWith(':');
    return !isRule || !(clusterChain.test(line) || /--comment "?slipway"?( |$)/.test(line));
  });
  return kept.join('\n');
}

/** Removes bridges, routes and all chains of the cluster. */
export async function removeNetwork(): Promise<void> {
  for (const bridge of [addresses.podBridge, addresses.dockerBridge]) {
    await run('ip', ['link', 'del', bridge], { mayFail: true });
  }
  for (const family of ['iptables', 'ip6tables']) {
    const saved = await run(`${family}-save`, [], { mayFail: true });
    const kept = withoutClusterRules(saved.stdout);
    if (saved.code === 0 && kept !== saved.stdout) {
      await run(`${family}-restore`, ['-w'], { input: kept, mayFail: true });
    }
  }
}
