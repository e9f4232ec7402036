/** The content type an artifact is sent with, from its name alone, as MLflow guesses it. Pure. */

/** What MLflow shows as text, whatever else the type may be called. */
const TEXT = new Set(
  (
    'txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst ipynb ' +
    'MLmodel MLproject bat c h ksh pl'
  ).split(' '),
);

const OTHERS = new Map(
  Object.entries({
    avi: 'video/x-msvideo',
    bmp: 'image/bmp',
    css: 'text/css',
    gif: 'image/gif',
    h5: 'application/x-hdf5',
    htm: 'text/html',
    html: 'text/html',
    ico: 'image/vnd.microsoft.icon',
    jpe: 'image/jpeg',
    jpeg: 'image/jpeg',
    jpg: 'image/jpeg',
    mov: 'video/quicktime',
    mp3: 'audio/mpeg',
    mp4: 'video/mp4',
    mpeg: 'video/mpeg',
    pdf: 'application/pdf',
    png: 'image/png',
    ps: 'application/postscript',
    sh: 'application/x-sh',
    svg: 'image/svg+xml',
    tar: 'application/x-tar',
    tif: 'image/tiff',
    tiff: 'image/tiff',
    wasm: 'application/wasm',
    wav: 'audio/x-wav',
    webm: 'video/webm',
    webp: 'image/webp',
    zip: 'application/zip',
  }),
);

/** `application/octet-stream` for what is not known. */
export function mediaType(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot + 1) : name;
  if (TEXT.has(extension)) return 'text/plain';
  return (dot > 0 && OTHERS.get(extension.toLowerCase())) || 'application/octet-stream';
}
