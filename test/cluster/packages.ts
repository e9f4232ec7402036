import { run, succeeds } from './exec.ts';
import { readIfThere } from './files.ts';
import { step } from './progress.ts';

/** A file that the Debian package brings; its presence says that the package is there. */
const nodePackages: Readonly<Record<string, string>> = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  'docker.io': '/usr/sbin/dockerd',
  mmdebstrap: '/usr/bin/mmdebstrap',
  iptables: '/usr/sbin/iptables',
  conntrack: '/usr/sbin/conntrack',
  ethtool: '/usr/sbin/ethtool',
  socat: '/usr/bin/socat',
  iproute2: '/usr/sbin/ip',
  openssl: '/usr/bin/openssl',
  kmod: '/usr/sbin/modprobe',
};

/** Whether this is Debian or one of its children, going by os-release. */
export function isDebian(osRelease: string): boolean {
  const values = osRelease
    .split('\n')
    .filter((line) => /^ID(_LIKE)?=/.test(line))
    .flatMap((line) =>
      line
        .slice(line.indexOf('=') + 1)
        .replaceAll('"', '')
        .split(' '),
    );
  return values.includes('debian');
}

/** Why packages cannot be installed here, or undefined. */
export async function packageObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'a cluster directly on the machine needs Linux';
  if (process.getuid?.() !== 0) return 'a cluster directly on the machine needs root';
  if (!isDebian((await readIfThere('/etc/os-release')) ?? ''))
    return 'its packages are known for Debian and Ubuntu only';
  return undefined;
}

async function missingPackages(): Promise<string[]> {
  const there = await Promise.all(
    // Some releases have merged /usr/sbin into /usr/bin; -e follows such links.
    Object.entries(nodePackages).map(async ([name, file]) => [name, await succeeds('test', ['-e', file])] as const),
  );
  return there.filter(([, found]) => !found).map(([name]) => name);
}

/** Installs the Debian packages that the local cluster and its Docker Engine need, those that are missing only. */
export async function ensurePackages(): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  const obstacle = await packageObstacle();
  if (obstacle) throw new Error(`${obstacle}. Missing packages: ${missing.join(' ')}`);
  await step(`install Debian packages ${missing.join(' ')}`, async () => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
    // A list that is too old names files which the mirror no longer has; so is one that was never fetched.
    if (await succeeds('apt-get', install, { env })) return;
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', install, { env });
  });
}
