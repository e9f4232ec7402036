/** Bundles, builds and loads the product's images. An image whose inputs did not change is built from Docker's cache. */
import { execFileSync, spawnSync } from 'node:child_process';

const images = [
  ['slipway/operator:dev', 'operator'],
  ['slipway/registry:dev', 'registry'],
  ['slipway/serving:dev', 'serving-image'],
  ['slipway/trainer:dev', 'trainer-image'],
] as const;

const CONVERTER = 'slipway/converter:dev';

const node = (...args: string[]) => execFileSync(process.execPath, args, { stdio: 'inherit' });

/** The Dockerfiles' public base image, or the one the cluster tooling builds where no image registry can be reached. */
function baseImage(): string[] {
  const local = 'slipway/node-base:24-bookworm-slim';
  const chosen =
    process.env['BASE_IMAGE'] ?? (spawnSync('docker', ['image', 'inspect', local]).status === 0 ? local : undefined);
  return chosen === undefined ? [] : ['--build-arg', `BASE_IMAGE=${chosen}`];
}

/** Unpacked wheels are what it consists of: false, and said, where no Python or no package index is there to unpack them. */
function buildConverter(): boolean {
  const python = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
  if (python && spawnSync(process.execPath, ['test/cluster/python-image.ts'], { stdio: 'inherit' }).status === 0) {
    return true;
  }
  const why = python ? 'it could not be built, see above' : 'there is no python3 with pip here';
  console.warn(`# ${CONVERTER} is left out: ${why}. Models are not converted, and tests of that are skipped`);
  return false;
}

node('scripts/bundle.ts');
const base = baseImage();
for (const [name, folder] of images) node('test/cluster/cli.ts', 'image', name, folder, ...base);
const built = [...images.map(([name]) => name), ...(buildConverter() ? [CONVERTER] : [])];
node('test/cluster/cli.ts', 'load', ...built);
