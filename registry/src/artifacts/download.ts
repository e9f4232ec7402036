/** Sending stored bytes: whole, a range of them, or word that the client has them already. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ByteRange, ObjectBody, ObjectInfo } from '@slipway/object-store';
import { streamedBy } from './young-memory.ts';

/** A client that takes nothing for so long is gone. */
const IDLE_MS = 120_000;

/** `bytes=0-9`, `bytes=10-`, `bytes=-5`: what it means for so many bytes. */
export type RangeAnswer = { readonly range: ByteRange } | 'whole' | 'unsatisfiable';

/** Several ranges, other units and nonsense are answered with the whole, as HTTP allows. Pure. */
export function rangeOf(header: string | undefined, size: number): RangeAnswer {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return 'whole';
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return 'whole';
  return start >= size || end < start ? 'unsatisfiable' : { range: { start, end } };
}

/** The file's name for a browser's "save as": always an attachment, so that no page of a user's runs on this origin. Pure. */
export function contentDisposition(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/[^ -~]/g, '')
    .replace(/["\\]/g, '\\$&');
  const ascii = plain === '' ? 'download' : plain;
  const token = /^[\w!#$%&'*+.^`|~-]+$/.test(ascii) ? ascii : `"${ascii}"`;
  if (/^[ -~]*$/.test(name)) return `attachment; filename=${token}`;
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename=${token}; filename*=UTF-8''${encoded}`;
}

const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);

export interface Download {
  /** What the bytes are saved as. */
  readonly name: string;
  readonly contentType: string;
  /** The mark of the bytes, without quotes; the store's own when absent. */
  readonly etag?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly info: () => Promise<ObjectInfo>;
  readonly open: (range?: ByteRange) => Promise<ObjectBody>;
}

const commonHeaders = (download: Download, info: ObjectInfo): Record<string, string | number> => ({
  'content-type': download.contentType,
  'content-disposition': contentDisposition(download.name),
  'x-content-type-options': 'nosniff',
  'accept-ranges': 'bytes',
  'cache-control': 'no-cache',
  'last-modified': info.lastModified.toUTCString(),
  etag: `"${download.etag ?? info.etag}"`,
  ...download.headers,
});

async function stream({ body }: ObjectBody, response: ServerResponse): Promise<void> {
  response.setTimeout(IDLE_MS, () => response.destroy());
  body.on('data', (chunk: Buffer) => streamedBy(chunk.length));
  try {
    await pipeline(body, response);
  } catch (error) {
    // A client that goes away is no fault of ours, and nobody is left to be told.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE' || !response.destroyed) throw error;
  }
}

/** The answer, when it can be given without the bytes; a range to send, or the whole, when not. */
function withoutBytes(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string | number>,
  size: number,
): RangeAnswer | 'answered' {
  const end = (status: number, more: Record<string, string | number> = {}): 'answered' => {
    response.writeHead(status, { ...headers, ...more }).end();
    return 'answered';
  };
  const etag = String(headers['etag']);
  if (matches(request.headers['if-none-match'], etag)) return end(304);
  const ifRange = request.headers['if-range'];
  const answer = ifRange === undefined || ifRange === etag ? rangeOf(request.headers.range, size) : 'whole';
  if (answer === 'unsatisfiable') return end(416, { 'content-range': `bytes */${size}`, 'content-length': 0 });
  if (request.method === 'HEAD') return end(200, { 'content-length': size });
  return answer;
}

/** Answers a GET or HEAD. Throws what `info` and `open` throw, before anything is sent. */
export async function sendDownload(
  request: IncomingMessage,
  response: ServerResponse,
  download: Download,
): Promise<void> {
  const conditional = request.method === 'HEAD' || request.headers.range || request.headers['if-none-match'];
  if (!conditional) {
    const opened = await download.open();
    response.writeHead(200, { ...commonHeaders(download, opened), 'content-length': opened.size });
    return stream(opened, response);
  }
  const info = await download.info();
  const answer = withoutBytes(request, response, commonHeaders(download, info), info.size);
  if (answer === 'answered') return;
  const range = typeof answer === 'object' ? answer.range : undefined;
  const opened = await download.open(range);
  const { start, end } = range ?? { start: 0, end: opened.size - 1 };
  response.writeHead(range ? 206 : 200, {
    ...commonHeaders(download, opened),
    'content-length': end - start + 1,
    ...(range && { 'content-range': `bytes ${start}-${end}/${opened.size}` }),
  });
  return stream(opened, response);
}
