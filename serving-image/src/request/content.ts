import type { IncomingHttpHeaders } from 'node:http';
import { unsupportedEncoding, unsupportedMediaType } from './refusal.ts';

/** Throws Refusal 415. A request without body and type is let through: whoever reads it says what is missing. */
export function checkContent(headers: IncomingHttpHeaders, contentTypes: readonly string[]): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw unsupportedEncoding();
  const type = headers['content-type'];
  const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
  if (type === undefined && isEmpty) return;
  const [essence = '', ...parameters] = (type ?? '').toLowerCase().split(';', 8);
  const isUtf8 = parameters.every(
    (parameter) => !/^\s*charset=/.test(parameter) || /=\s*"?utf-?8"?\s*$/.test(parameter),
  );
  if (contentTypes.includes(essence.trim()) && isUtf8) return;
  throw unsupportedMediaType(contentTypes.filter((known) => known !== '').join(' or '));
}
