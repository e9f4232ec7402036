import { closeSync, fstatSync, openSync } from 'node:fs';
import { FailureError } from '../../failure.ts';
import { type Bytes, fileBytes, MalformedError } from './wire.ts';

/** What `read` makes of the file's bytes. Throws InvalidModel where they are no message. */
export function readingFile<T>(path: string, read: (bytes: Bytes) => T): T {
  const fd = openSync(path, 'r');
  try {
    return read(fileBytes(fd, fstatSync(fd).size));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new FailureError('InvalidModel', `not a complete ONNX model: ${error.message}`);
  } finally {
    closeSync(fd);
  }
}
