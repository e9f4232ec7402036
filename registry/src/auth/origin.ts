/** Web pages of other sites may not write, nor reach a registry that listens on loopback only. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../errors.ts';
import type { Access } from '../http/exchange.ts';

export interface OriginRules {
  /** Origins of web pages that may write, beside the registry's own. */
  readonly allowedOrigins: readonly string[];
  /** True when only this machine reaches the registry: then it has no other name than this machine's own. */
  readonly loopbackOnly: boolean;
}

const LOOPBACK_NAME = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** True for addresses that only the machine itself reaches. */
export const isLoopback = (address: string): boolean => address === '::1' || /^127\./.test(address);

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined);

/** Throws 403 for a request that a page of another site made a browser send. Programs send no Origin and are let through. */
export function checkOrigin(
  { host = '', origin }: Pick<IncomingHttpHeaders, 'host' | 'origin'>,
  access: Access,
  { allowedOrigins, loopbackOnly }: OriginRules,
): void {
  if (loopbackOnly && !LOOPBACK_NAME.test(host.replace(/:\d+$/, '')))
    throw new ApiError(
      'PERMISSION_DENIED',
      'This registry answers to the names of this machine only, such as 127.0.0.1 and localhost.',
    );
  if (origin === undefined || access === 'read') return;
  if (hostOf(origin) === host || allowedOrigins.includes(origin)) return;
  throw new ApiError(
    'PERMISSION_DENIED',
    'A web page of another site may not write here. ALLOWED_ORIGINS lists those that may.',
  );
}
