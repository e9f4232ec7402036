/** Multipart uploads and presigned downloads, in the words of MLflow's clients: the bytes go past us. */
import type { ArtifactRows } from '@slipway/database';
import { type StreamingObjectStore, UploadRefusedError } from '@slipway/object-store';
import { z } from 'zod';
import { ApiError, invalid, missing } from '../errors.ts';
import { jsonObjectOf } from '../http/body.ts';
import type { Exchange } from '../http/exchange.ts';
import { list, parseRequest, requiredInteger, requiredText } from '../http/parameters.ts';
import { contentDisposition } from './download.ts';
import { artifactKey } from './location.ts';
import { namedPath } from './path.ts';

export interface MultipartDeps {
  readonly store: StreamingObjectStore;
  readonly rows: ArtifactRows;
  readonly presigned: boolean;
}

/** How long a URL is good for: long enough for one part over a slow line, to be asked for anew otherwise. */
const URL_SECONDS = 3_600;
const DOWNLOAD_SECONDS = 900;
/** S3's own limit. */
const MOST_PARTS = 10_000;

const Create = z.object({ path: requiredText(), num_parts: requiredInteger().default(1) });
const Complete = z.object({
  path: requiredText(),
  upload_id: requiredText(),
  parts: list(z.object({ part_number: requiredInteger(), etag: requiredText() })),
});
const Abort = z.object({ path: requiredText(), upload_id: requiredText() });

/** The client's words for a server without: it then sends through us. */
const unsupported = (what: 'upload' | 'download') =>
  new ApiError('NOT_IMPLEMENTED', `Multipart ${what} is not supported for the current artifact repository`);

/** The file is named in the body, by its path on the client's side; the folder by the path. */
export const uploadedPath = (folder: string, localFile: string): string =>
  namedPath(`${folder}/${localFile.replace(/^.*[\\/]/, '')}`);

/** What `mpu/create|complete|abort/<folder>` answer. `guard` refuses a path the caller may not write. */
export function multipartAnswers({ store, rows, presigned }: MultipartDeps) {
  const create = async (exchange: Exchange, folder: string, guard: (path: string) => Promise<void>) => {
    const { path: file, num_parts: parts } = parseRequest(Create, await jsonObjectOf(exchange.request));
    if (parts < 1 || parts > MOST_PARTS) throw invalid(`num_parts must be from 1 to ${MOST_PARTS}, got ${parts}.`);
    const path = uploadedPath(folder, file);
    await guard(path);
    const key = artifactKey(exchange.namespace, path);
    const uploadId = await store.startMultipart(key);
    const urls = await Promise.all(
      Array.from({ length: parts }, (_, index) => store.presignPart(key, uploadId, index + 1, URL_SECONDS)),
    );
    const credentials = urls.map((url, index) => ({ url, part_number: index + 1, headers: {} }));
    return { upload_id: uploadId, credentials };
  };

  const complete = async (exchange: Exchange, folder: string, guard: (path: string) => Promise<void>) => {
    const { path: file, upload_id, parts } = parseRequest(Complete, await jsonObjectOf(exchange.request));
    const path = uploadedPath(folder, file);
    await guard(path);
    if (parts.length === 0 || parts.some(({ part_number }) => part_number < 1 || part_number > MOST_PARTS))
      throw invalid(`parts must list what was sent, numbered from 1 to ${MOST_PARTS}.`);
    const sent = parts.map(({ part_number, etag }) => ({ partNumber: part_number, etag }));
    try {
      await store.completeMultipart(artifactKey(exchange.namespace, path), upload_id, sent);
    } catch (error) {
      if (error instanceof UploadRefusedError)
        throw invalid(`The multipart upload of '${path}' cannot be completed: ${error.message}. Start it anew.`);
      throw error;
    }
    // The bytes went past us: nobody has counted their digest.
    await rows.forget(exchange.namespace, path);
    return {};
  };

  const abort = async (exchange: Exchange, folder: string, guard: (path: string) => Promise<void>) => {
    const { path: file, upload_id } = parseRequest(Abort, await jsonObjectOf(exchange.request));
    const path = uploadedPath(folder, file);
    await guard(path);
    await store.abortMultipart(artifactKey(exchange.namespace, path), upload_id);
    return {};
  };

  const answers = { create, complete, abort };
  return {
    /** The JSON answer to one step of an upload; 501 where presigned URLs are switched off. */
    step(name: keyof typeof answers, exchange: Exchange, folder: string, guard: (path: string) => Promise<void>) {
      if (!presigned) throw unsupported('upload');
      return answers[name](exchange, folder, guard);
    },

    /** Where to get a file without us. */
    async download(namespace: string, path: string): Promise<object> {
      if (!presigned) throw unsupported('download');
      const key = artifactKey(namespace, path);
      const info = await store.info(key);
      if (!info) throw missing(`No such artifact: '${path}'`);
      const url = await store.presignGet(key, DOWNLOAD_SECONDS, contentDisposition(path.replace(/^.*\//, '')));
      return { url, headers: {}, file_size: info.size };
    },
  };
}
