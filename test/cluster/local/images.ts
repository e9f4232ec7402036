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

/**
 * Whether the image is there with exactly this id: beside the name the runtime keeps an entry named by the id, and
 * both lead to the same manifest.
 */
export function isLoaded(images: ReadonlyMap<string, string>, image: string, id: string): boolean {
  const manifest = images.get(fullName(image));
  return manifest !== undefined && manifest === images.get(id);
}

/** Gives the local cluster images that Docker has. Those it has already are left out. Returns the names it loaded. */
export async function loadIntoLocal(paths: Paths, engine: Engine, images: readonly string[]): Promise<string[]> {
  const ctr = ['ctr', '-a', paths.containerdSocket, '-n', 'k8s.io', 'images'];
  const listing = await run('ctr', [...ctr.slice(1), 'ls']);
  const loaded = parseImageList(listing.stdout);
  const missing: string[] = [];
  for (const image of images) {
    const id = await imageId(engine, image);
    if (id === undefined) throw new Error(`Docker has no image ${image}`);
    if (!isLoaded(loaded, image, id)) missing.push(image);
  }
  if (missing.length === 0) return [];
  // One stream, so that layers which images share are sent once.
  const save = ['docker', ...(engine.host ? ['-H', engine.host] : []), 'save', ...missing];
  await step(`load ${missing.join(' ')}`, () => pipe(save, [...ctr, 'import', '-']));
  return missing;
}
