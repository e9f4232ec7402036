/** `node operator/src/crd/generate.ts` writes the CustomResourceDefinitions to crds/ and into the chart. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crdManifests } from './manifests.ts';

const root = join(import.meta.dirname, '../../..');

for (const folder of ['crds', 'charts/slipway/files/crds']) {
  mkdirSync(join(root, folder), { recursive: true });
  for (const { file, yaml } of crdManifests()) writeFileSync(join(root, folder, file), yaml);
}
