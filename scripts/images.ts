/** Bundles, builds and loads the product's images. An image whose inputs did not change is left alone. */
import { execFileSync } from 'node:child_process';

const images = [
  ['slipway/operator:dev', 'operator'],
  ['slipway/registry:dev', 'registry'],
  ['slipway/serving:dev', 'serving-image'],
  ['slipway/trainer:dev', 'trainer-image'],
] as const;

const node = (...args: string[]) => execFileSync(process.execPath, args, { stdio: 'inherit' });

node('scripts/bundle.ts');
for (const [name, folder] of images) node('test/cluster/cli.ts', 'image', name, folder);
node('test/cluster/cli.ts', 'load', ...images.map(([name]) => name));
