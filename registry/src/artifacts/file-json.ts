import type { ArtifactEntry } from './tenant-artifacts.ts';

/** `{path, is_dir, file_size}` as MLflow lists it, below `parent`: an empty file has no size. Pure. */
export const fileJson = ({ name, isDirectory, size }: ArtifactEntry, parent = ''): object => ({
  path: parent === '' ? name : `${parent}/${name}`,
  is_dir: isDirectory,
  ...(!isDirectory && size ? { file_size: size } : {}),
});
