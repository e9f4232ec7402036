/** MLflow's artifact proxy below `/api/2.0/mlflow-artifacts`: listing, bytes up and down, deleting. */
import type { ArtifactRows } from '@slipway/database';
import { ObjectStoreError, type StreamingObjectStore } from '@slipway/object-store';
import { ApiError, invalid, missing } from '../errors.ts';
import { type Access, type Admit, type Area, type Caller, type Exchange, sendJson } from '../http/exchange.ts';
import { sendDownload } from './download.ts';
import { fileJson } from './file-json.ts';
import { artifactKey } from './location.ts';
import { mediaType } from './media-type.ts';
import { multipartAnswers } from './multipart.ts';
import { mustOwn, type Owners } from './ownership.ts';
import { artifactPath, folderPath } from './path.ts';
import { announcedSize, discard, type Patience, received } from './receive.ts';
import type { TenantArtifacts } from './tenant-artifacts.ts';

export interface ArtifactAreaDeps extends Owners {
  readonly admit: Admit;
  readonly store: StreamingObjectStore;
  readonly rows: ArtifactRows;
  readonly artifacts: TenantArtifacts;
  /** How long an upload may stand still; a minute when absent. */
  readonly patience?: Patience;
}

const BASE =
  /^\/(?:ajax-)?api\/2\.0\/mlflow-artifacts\/(artifacts|mpu\/(?:create|complete|abort)|presigned)(?:\/(.*))?$/;

const noSuchArtifact = (path: string) => missing(`No such artifact: '${path}'`);

/** The area. Objects appear whole or not at all; what is refused has touched nothing. */
export function artifactArea(deps: ArtifactAreaDeps): Area {
  const { store, rows, artifacts, admit } = deps;
  const multipart = multipartAnswers({ store, rows, presigned: artifacts.presigned ?? false });

  async function listed({ namespace, query, response }: Exchange): Promise<void> {
    const folder = folderPath(new URLSearchParams(query).get('path') ?? undefined);
    const entries = await artifacts.list(namespace, folder);
    // Data sets and predictions lie beside the experiments; they are not artifacts.
    const shown =
      folder === '' ? entries.filter(({ name, isDirectory }) => isDirectory && /^\d+$/.test(name)) : entries;
    sendJson(response, 200, shown.length > 0 ? { files: shown.map((entry) => fileJson(entry)) } : {});
  }

  async function notFound(namespace: string, path: string): Promise<ApiError> {
    for await (const _ of store.folder(`${artifactKey(namespace, path)}/`))
      return invalid(`Artifact path refers to a directory, not a file: '${path}'`);
    return noSuchArtifact(path);
  }

  async function downloaded({ namespace, request, response }: Exchange, path: string): Promise<void> {
    const key = artifactKey(namespace, path);
    try {
      await sendDownload(request, response, {
        name: path.slice(path.lastIndexOf('/') + 1),
        contentType: mediaType(path),
        open: (range) => store.open(key, range),
        async info() {
          const info = await store.info(key);
          if (!info) throw await notFound(namespace, path);
          return info;
        },
      });
    } catch (error) {
      if (error instanceof ObjectStoreError && error.reason === 'NotFound') throw await notFound(namespace, path);
      throw error;
    }
  }

  async function uploaded({ namespace, request, response }: Exchange, path: string): Promise<void> {
    const { bytes, sha256 } = received(request, undefined, deps.patience);
    const options = { size: announcedSize(request), contentType: mediaType(path) };
    const { etag, size } = await store.upload(artifactKey(namespace, path), bytes, options);
    await rows.record(namespace, { path, size, sha256: sha256(), etag });
    response.writeHead(200, { 'content-length': 0 }).end();
  }

  async function deleted({ namespace, response }: Exchange, path: string): Promise<void> {
    const kept = await rows.keptBy(namespace, store.bucket, path);
    if (kept) {
      const how = kept.service === undefined ? 'is registered from it' : `is served by ${kept.service} from it`;
      const next = kept.service === undefined ? 'Delete that version first.' : 'Let the service go first.';
      throw new ApiError(
        'RESOURCE_CONFLICT',
        `'${path}' cannot be deleted: version ${kept.version} of model ${kept.model} ${how}. ${next}`,
      );
    }
    const key = artifactKey(namespace, path);
    const files = await artifacts.files(namespace, path);
    await rows.forget(namespace, path);
    await store.remove(files.map((file) => (file.path === '' ? key : `${key}/${file.path}`)));
    sendJson(response, 200, {});
  }

  /** What a service answers with stays what it is, down to the last pod that may still have to fetch it. */
  async function mustNotBeServed(namespace: string, path: string): Promise<void> {
    const served = await rows.servedFrom(namespace, store.bucket, path);
    if (!served) return;
    throw new ApiError(
      'RESOURCE_CONFLICT',
      `'${path}' cannot be written: version ${served.version} of model ${served.model} is served by ${served.service} ` +
        'from it. Log the model in another run, or under another name.',
    );
  }

  async function mayWrite(caller: Caller, namespace: string, path: string): Promise<void> {
    await mustOwn(deps, caller, namespace, path);
    await mustNotBeServed(namespace, path);
  }

  async function onFile(exchange: Exchange, caller: Caller, raw: string): Promise<void> {
    const path = artifactPath(raw);
    const { method } = exchange.request;
    if (method === 'GET' || method === 'HEAD') return downloaded(exchange, path);
    if (method === 'PUT') {
      await mayWrite(caller, exchange.namespace, path);
      return uploaded(exchange, path);
    }
    await mustOwn(deps, caller, exchange.namespace, path);
    return deleted(exchange, path);
  }

  async function answered(exchange: Exchange, caller: Caller, kind: string, raw: string | undefined): Promise<void> {
    if (kind === 'artifacts')
      return raw === undefined && exchange.request.method === 'GET'
        ? listed(exchange)
        : onFile(exchange, caller, raw ?? '');
    if (kind === 'presigned')
      return sendJson(exchange.response, 200, await multipart.download(exchange.namespace, artifactPath(raw ?? '')));
    const folder = artifactPath((raw ?? '').replace(/\/$/, ''));
    const guard = (path: string) => mayWrite(caller, exchange.namespace, path);
    const step = kind.slice('mpu/'.length) as 'create' | 'complete' | 'abort';
    sendJson(exchange.response, 200, await multipart.step(step, exchange, folder, guard));
  }

  return {
    owns: (path) => /^\/(?:ajax-)?api\/2\.0\/mlflow-artifacts(\/|$)/.test(path),
    async answer(exchange) {
      const [, kind = '', raw] = BASE.exec(exchange.path) ?? [];
      const access = accessOf(kind, exchange.request.method ?? '');
      if (!access)
        throw new ApiError('ENDPOINT_NOT_FOUND', `There is no ${exchange.request.method} endpoint of this name.`);
      exchange.route = `/api/2.0/mlflow-artifacts/${kind}`;
      try {
        await answered(exchange, await admit(exchange, access), kind, raw);
      } catch (error) {
        if (!exchange.response.headersSent) await discard(exchange.request, error);
        throw error;
      }
    },
  };
}

/** What the caller must be allowed for this; undefined when there is no such endpoint. */
function accessOf(kind: string, method: string): Access | undefined {
  if (kind === 'artifacts') {
    if (method === 'GET' || method === 'HEAD') return 'read';
    return method === 'PUT' || method === 'DELETE' ? 'write' : undefined;
  }
  if (kind === 'presigned') return method === 'GET' ? 'read' : undefined;
  return kind !== '' && method === 'POST' ? 'write' : undefined;
}
