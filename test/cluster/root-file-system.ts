import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { run } from './exec.ts';
import { digestOf, exists, readIfThere } from './files.ts';
import type { Paths } from './paths.ts';
import { step } from './progress.ts';

const suite = 'bookworm';
const defaultMirror = 'http://deb.debian.org/debian';

/** A Debian root file system: the packages beyond the minimum, and commands run before they are installed. */
export interface RootFileSystem {
  readonly name: string;
  readonly packages: readonly string[];
  readonly setup: readonly string[];
}

/** The mirror that a sources text (either format) names for Debian itself, for security updates not counted. */
export function mirrorIn(sources: string): string | undefined {
  const lines = sources.split('\n').map((line) => line.trim());
  const uris = lines.flatMap((line) => {
    const [type, ...words] = line.split(/\s+/);
    if (type === 'URIs:') return words;
    return type === 'deb' ? words.filter((word) => /^[a-z+]+:\/\//.test(word)).slice(0, 1) : [];
  });
  return uris.map((uri) => uri.replace(/\/+$/, '')).find((uri) => uri.endsWith('/debian'));
}

/** Settings of this machine's apt that decide how a mirror is reached, as `apt-config dump` prints them. */
export function reachSettings(dump: string): string[] {
  return dump
    .split('\n')
    .filter((line) =>
      /^Acquire::(\w+::)*(Proxy|Proxy-Auto-Detect|CaInfo|CAPath|Verify-Peer)\b.* "[^"]+";$/i.test(line),
    );
}

async function machineMirror(): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const files = (await readdir(folder).catch((): string[] => [])).map((file) => `${folder}/${file}`);
  const texts = await Promise.all(['/etc/apt/sources.list', ...files].map(readIfThere));
  return mirrorIn(texts.filter((text) => text !== undefined).join('\n')) ?? defaultMirror;
}

function mmdebstrapArguments(
  system: RootFileSystem,
  mirror: string,
  settings: readonly string[],
  output: string,
): string[] {
  return [
    '--variant=minbase',
    '--format=tar',
    '--quiet',
    `--include=${system.packages.join(',')}`,
    ...settings.map((setting) => `--aptopt=${setting}`),
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    ...system.setup.map((command) => `--setup-hook=${command}`),
    // What only says how this machine reaches the mirror stays on this machine.
    '--customize-hook=rm -rf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/lib/apt/lists/* "$1"/var/cache/*',
    suite,
    output,
    mirror,
  ];
}

/** A tar file of the root file system, made once and kept in the cache. */
export async function rootFileSystem(paths: Paths, system: RootFileSystem): Promise<string> {
  const file = `${paths.images}/${system.name}-${digestOf(JSON.stringify(system), suite)}.tar`;
  if (await exists(file)) return file;
  await mkdir(paths.images, { recursive: true });
  const title = `root file system ${system.name}`;
  await step(
    title,
    async () => {
      const settings = reachSettings((await run('apt-config', ['dump'])).stdout);
      const partial = `${file}.partial`;
      await rm(partial, { force: true });
      await run('mmdebstrap', mmdebstrapArguments(system, await machineMirror(), settings, partial));
      await rename(partial, file);
    },
    'once, from Debian packages',
  );
  return file;
}
