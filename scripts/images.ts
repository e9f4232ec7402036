/** Bundles, builds and loads the product's images. An image whose inputs did not change is built from Docker's cache. */
import { execFileSync, spawnSync } from 'node:child_process';

const images = [
  ['slipway/operator:dev', 'operator'],
  ['slipway/registry:dev', 'registry'],
  ['slipway/serving:dev', 'serving-image'],
  ['slipway/trainer:dev', 'trainer-image'],
] as const;

const node = (...args: string[]) => execFileSync(process.execPath, args, { stdio: 'inherit' });

/** The Dockerfiles' public base image, or the one the cluster tooling builds where no image registry can be reached. */
function baseImage(): string[] {
  const local = 'slipway/node-base:24-bookworm-slim';
  const chosen =
    process.env['BASE_IMAGE'] ?? (spawnSync('docker', ['image', 'inspect', local]).status === 0 ? local : undefined);
  return chosen === undefined ? [] : ['--build-arg', `BASE_IMAGE=${chosen}`];
}

node('scripts/bundle.ts');
const base = baseImage();
for (const [name, folder] of images) node('test/cluster/cli.ts', 'image', name, folder, ...base);
node('test/cluster/cli.ts', 'load', ...images.map(([name]) => name));
