import { type Engine, imageId } from '../docker.ts';
import { pipe, run } from '../exec.ts';
import type { Paths } from '../paths.ts';
import { step } from '../progress.ts';

/** The name under which a container runtime keeps what Docker calls by a shorter one. */
export function fullName(image: string): string {
  const named = /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
  const [first = ''] = named.split('/');
  if (!named.includes('/')) return `docker.io/library/${named}`;
  return first.includes('.') || first.includes(':') || first === 'localhost' ? named : `docker.io/${named}`;
}

/** Image references and digests out of `ctr images ls`. */
export function parseImageList(listing: string): Map<string, string> {
  const rows = listing
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(rows.flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])));
}

/** The id in a manifest, which is the digest of the image's configuration. */
export function idInManifest(manifest: string): string | undefined {
  return (JSON.parse(manifest) as { config?: { digest?: string } }).config?.digest;
}

/** Gives the local cluster images that Docker has. Those it has already are left out. Returns the names it loaded. */
export async function loadIntoLocal(paths: Paths, engine: Engine, images: readonly string[]): Promise<string[]> {
  const ctr = ['-a', paths.containerdSocket, '-n', 'k8s.io'];
  const manifests = parseImageList((await run('ctr', [...ctr, 'images', 'ls'])).stdout);
  const isLoaded = async (image: string, id: string): Promise<boolean> => {
    const manifest = manifests.get(fullName(image));
    if (manifest === undefined) return false;
    const content = await run('ctr', [...ctr, 'content', 'get', manifest], { mayFail: true });
    return content.code === 0 && idInManifest(content.stdout) === id;
  };
  const missing: string[] = [];
  for (const image of images) {
    const id = await imageId(engine, image);
    if (id === undefined) throw new Error(`Docker has no image ${image}`);
    if (!(await isLoaded(image, id))) missing.push(image);
  }
  if (missing.length === 0) return [];
  // One stream, so that layers which images share are sent once.
  const save = ['docker', ...(engine.host ? ['-H', engine.host] : []), 'save', ...missing];
  await step(`load ${missing.join(' ')}`, () => pipe(save, ['ctr', ...ctr, 'images', 'import', '-']));
  return missing;
}
