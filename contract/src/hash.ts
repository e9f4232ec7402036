import { createHash } from 'node:crypto';

/** The SHA-256 of `text` (UTF-8) in lower-case hex, 64 characters. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The first `length` hex characters of the SHA-256 of `text`: a deterministic suffix for names. */
export const shortHash = (text: string, length = 8): string => sha256Hex(text).slice(0, length);
