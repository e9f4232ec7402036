/** Data sets at `/data/<name>`: `curl -T train.csv …/data/train.csv` stores one, and a GET gives it back with its digest. */
import { randomBytes } from 'node:crypto';
import type { DataSet, DataSets } from '@slipway/database';
import { ObjectStoreError, type StreamingObjectStore } from '@slipway/object-store';
import { sendDownload } from '../artifacts/download.ts';
import { artifactKey } from '../artifacts/location.ts';
import { mediaType } from '../artifacts/media-type.ts';
import { announcedSize, discard, type Patience, received } from '../artifacts/receive.ts';
import { ApiError, invalid, missing } from '../errors.ts';
import { type Admit, type Area, type Exchange, sendJson } from '../http/exchange.ts';
import { announcedSha256, dataSetName } from './name.ts';

export interface DataAreaDeps {
  readonly admit: Admit;
  readonly store: StreamingObjectStore;
  readonly dataSets: DataSets;
  readonly patience?: Patience;
}

const PATH = /^\/data(?:\/(.*))?$/;
const PAGE = 100;
const LONGEST_PAGE = 1_000;

/** Where the bytes of an upload lie in the bucket. */
export const dataSetKey = (namespace: string, { upload, name }: Pick<DataSet, 'upload' | 'name'>): string =>
  artifactKey(namespace, `data/${upload}/${name}`);

const dataSetJson = ({ name, sha256, size, contentType, storedTime }: DataSet): object => ({
  name,
  sha256,
  size,
  content_type: contentType,
  stored_time: storedTime,
});

const noSuchDataSet = (name: string, sha256?: string) =>
  missing(
    sha256 === undefined
      ? `There is no data set ${name} in this namespace; PUT stores one.`
      : `No upload of data set ${name} has the sha256 ${sha256}.`,
  );

/** The area. An upload appears whole, with its digest, or not at all; the ones before it stay. */
export function dataArea({ admit, store, dataSets, patience }: DataAreaDeps): Area {
  async function listed({ namespace, query, response }: Exchange): Promise<void> {
    const parameters = new URLSearchParams(query);
    const limit = Number(parameters.get('limit') ?? PAGE);
    if (!Number.isInteger(limit) || limit < 1 || limit > LONGEST_PAGE)
      throw invalid(`limit must be a number from 1 to ${LONGEST_PAGE}.`);
    const found = await dataSets.list(namespace, { limit: limit + 1, after: parameters.get('after') ?? undefined });
    const page = found.slice(0, limit);
    const next = found.length > limit ? page.at(-1)?.name : undefined;
    sendJson(response, 200, { data_sets: page.map(dataSetJson), ...(next !== undefined && { next }) });
  }

  async function stored({ namespace, request, query, response }: Exchange, name: string): Promise<void> {
    const header = request.headers['x-sha256'] ?? request.headers['sha256'];
    const expected = announcedSha256(new URLSearchParams(query).get('sha256') ?? header?.toString());
    const { bytes, sha256 } = received(request, expected, patience);
    const upload = randomBytes(16).toString('hex');
    const key = dataSetKey(namespace, { upload, name });
    // curl guesses nothing: without a type of its own the name says what it is.
    const contentType = request.headers['content-type']?.slice(0, 255) ?? mediaType(name);
    const { size } = await store.upload(key, bytes, { size: announcedSize(request), contentType });
    const added = await dataSets.add(namespace, { name, upload, size, sha256: sha256(), contentType });
    // Swept later when it fails now: no row names it.
    if (!added) await store.remove([key]).catch(() => {});
    sendJson(response, 200, { name, sha256: sha256(), size });
  }

  async function sent({ namespace, request, query, response }: Exchange, name: string): Promise<void> {
    const wanted = announcedSha256(new URLSearchParams(query).get('sha256'));
    const found = await dataSets.find(namespace, name, wanted);
    if (!found) throw noSuchDataSet(name, wanted);
    const key = dataSetKey(namespace, found);
    const gone = () => noSuchDataSet(name, wanted);
    try {
      await sendDownload(request, response, {
        name,
        contentType: found.contentType,
        etag: found.sha256,
        headers: { 'x-sha256': found.sha256 },
        open: (range) => store.open(key, range),
        async info() {
          const info = await store.info(key);
          if (!info) throw gone();
          return info;
        },
      });
    } catch (error) {
      if (error instanceof ObjectStoreError && error.reason === 'NotFound') throw gone();
      throw error;
    }
  }

  async function deleted({ namespace, response }: Exchange, name: string): Promise<void> {
    const uploads = await dataSets.remove(namespace, name);
    if (uploads.length === 0) throw noSuchDataSet(name);
    await store.remove(uploads.map((upload) => dataSetKey(namespace, upload)));
    sendJson(response, 200, {});
  }

  async function answered(exchange: Exchange, raw: string): Promise<void> {
    const { method } = exchange.request;
    const isRead = method === 'GET' || method === 'HEAD';
    const caller = await admit(exchange, isRead ? 'read' : 'write');
    if (raw === '' && method === 'GET') return listed(exchange);
    const name = dataSetName(raw);
    if (isRead) return sent(exchange, name);
    if (caller.runId !== undefined)
      throw new ApiError('PERMISSION_DENIED', 'The token of a training run reads data sets; it does not write them.');
    return method === 'PUT' ? stored(exchange, name) : deleted(exchange, name);
  }

  return {
    owns: (path) => PATH.test(path),
    async answer(exchange) {
      const { request } = exchange;
      if (!['GET', 'HEAD', 'PUT', 'DELETE'].includes(request.method ?? ''))
        throw new ApiError('ENDPOINT_NOT_FOUND', 'Data sets take GET, HEAD, PUT and DELETE.');
      const raw = PATH.exec(exchange.path)?.[1] ?? '';
      exchange.route = raw === '' ? '/data/' : '/data/:name';
      try {
        await answered(exchange, raw);
      } catch (error) {
        if (!exchange.response.headersSent) await discard(request, error);
        throw error;
      }
    },
  };
}
