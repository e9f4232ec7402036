import { copyFile, link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { folderOf } from './binaries.ts';
import type { ClusterKind } from './choice.ts';
import { buildImage, type Engine, labelOf } from './docker.ts';
import { run } from './exec.ts';
import { digestOf, digestOfFolder, removeLeftovers } from './files.ts';
import { findGo } from './go-toolchain.ts';
import type { Paths } from './paths.ts';
import { step } from './progress.ts';
import { type RootFileSystem, rootFileSystem } from './root-file-system.ts';
import { tools } from './tools.ts';

/** An image that we make ourselves, because the machine may reach no image registry. */
export interface BaseImage {
  readonly name: string;
  /** Folder below `images/` with its Dockerfile. */
  readonly folder: string;
  /** What else goes into the build's folder, as file name to where it comes from. */
  readonly files: (paths: Paths) => Promise<Readonly<Record<string, string>>>;
  /** Changes when those files do. */
  readonly inputs: string;
  /** The image that it is built on, when that is one of ours. */
  readonly on?: string;
  /** Only the local cluster needs it. */
  readonly localOnly?: true;
}

const debian: RootFileSystem = {
  name: 'debian',
  packages: ['ca-certificates', 'libstdc++6', 'tini'],
  setup: [],
};

const postgres: RootFileSystem = {
  name: 'postgres',
  packages: ['postgresql-15', 'libnss-wrapper', 'tini'],
  // Installing the package would otherwise make a data folder.
  setup: [
    'mkdir -p "$1/etc/postgresql-common"',
    'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',
  ],
};

async function buildPause(paths: Paths): Promise<string> {
  const binary = `${paths.images}/pause`;
  const source = fileURLToPath(new URL('images/pause/main.go', import.meta.url));
  await mkdir(paths.images, { recursive: true });
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', binary, source];
  await run(await findGo(), args, { env: { CGO_ENABLED: '0' }, cwd: '/' });
  return binary;
}

/** The Node that npm publishes: unlike a distribution's it needs nothing but the C and C++ libraries. */
async function packagedNode(): Promise<string> {
  const script = fileURLToPath(new URL('../../scripts/bootstrap-node.sh', import.meta.url));
  return `${(await run(script, ['--packaged'])).stdout.trim()}/node`;
}

const debianBase = 'slipway/debian-base:bookworm';

/** Every base image, each after the one that it is built on. */
export const baseImages: readonly BaseImage[] = [
  {
    name: 'localhost/pause:1',
    folder: 'pause',
    files: async (paths) => ({ pause: await buildPause(paths) }),
    inputs: '1',
    localOnly: true,
  },
  {
    name: debianBase,
    folder: 'debian-base',
    files: async (paths) => ({ 'rootfs.tar': await rootFileSystem(paths, debian) }),
    inputs: JSON.stringify(debian),
  },
  {
    name: 'slipway/node-base:24-bookworm-slim',
    folder: 'node-base',
    files: async () => ({ node: await packagedNode() }),
    inputs: '24',
    on: debianBase,
  },
  {
    name: `slipway/coredns:${tools.coredns.version}`,
    folder: 'coredns',
    files: async (paths) => ({ coredns: `${folderOf(paths, tools.coredns)}/coredns` }),
    inputs: tools.coredns.version,
    localOnly: true,
  },
  {
    name: 'slipway/dev-postgres:15',
    folder: 'dev-postgres',
    files: async (paths) => ({ 'rootfs.tar': await rootFileSystem(paths, postgres) }),
    inputs: JSON.stringify(postgres),
  },
  {
    name: `slipway/dev-minio:${tools.minio.version}`,
    folder: 'dev-minio',
    files: async (paths) => ({ minio: `${folderOf(paths, tools.minio)}/minio` }),
    inputs: tools.minio.version,
    on: debianBase,
  },
];

/** The images that a cluster of this kind is given. */
export function baseImagesFor(kind: ClusterKind): readonly BaseImage[] {
  return kind === 'local' ? baseImages : baseImages.filter((image) => !image.localOnly);
}

const inputsLabel = 'dev.slipway.inputs';

function folderWith(image: BaseImage): string {
  return fileURLToPath(new URL(`images/${image.folder}`, import.meta.url));
}

async function put(from: string, to: string): Promise<void> {
  // A link costs nothing; it cannot cross file systems.
  await link(from, to).catch(() => copyFile(from, to));
}

async function buildBaseImage(
  paths: Paths,
  engine: Engine,
  image: BaseImage,
  label: string,
  local: boolean,
): Promise<void> {
  const context = await mkdtemp(`${paths.images}/.context-`);
  try {
    const folder = folderWith(image);
    for (const file of await readdir(folder)) await copyFile(`${folder}/${file}`, `${context}/${file}`);
    const files = local ? await image.files(paths) : {};
    for (const [name, source] of Object.entries(files)) await put(source, `${context}/${name}`);
    const dockerfile = `${context}/${local ? 'Dockerfile' : 'registry.Dockerfile'}`;
    await buildImage(engine, image.name, context, ['-f', dockerfile, '--label', label]);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/**
 * Builds the base images that are missing or whose inputs changed. On the local cluster's machine they are made of
 * Debian packages and our own binaries; elsewhere Docker takes what they are built on from its registry.
 */
export async function ensureBaseImages(
  paths: Paths,
  engine: Engine,
  kind: ClusterKind,
  names?: readonly string[],
): Promise<void> {
  await mkdir(paths.images, { recursive: true });
  await removeLeftovers(paths.images, '.context-');
  const inputsOf = new Map<string, string>();
  for (const image of baseImagesFor(kind)) {
    const inputs = digestOf(
      await digestOfFolder(folderWith(image)),
      image.inputs,
      kind,
      inputsOf.get(image.on ?? '') ?? '',
    );
    inputsOf.set(image.name, inputs);
    const wanted = names === undefined || names.includes(image.name);
    if (!wanted || (await labelOf(engine, image.name, inputsLabel)) === inputs) continue;
    const label = `${inputsLabel}=${inputs}`;
    await step(`image ${image.name}`, () => buildBaseImage(paths, engine, image, label, kind === 'local'));
  }
}
