/**
 * Reads what a trainer writes while it writes it. The trainer is not trusted: nothing but regular files is opened, no link
 * is followed, and no more is held than is asked for.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A longer line is no metric point; it is left out. */
export const LONGEST_LINE = 64 * 1024;
const CHUNK = 64 * 1024;
/** Read at one look: a file of holes is as large as somebody says it is. */
export const MOST_READ = 8 * 1024 * 1024;
const NEWLINE = 10;

/** Opens a regular file; undefined for anything else. Never blocks: a pipe nobody writes to is opened too, and let go. */
async function openRegular(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined);
  if (!file) return undefined;
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

/** A small file as a whole; undefined when there is none, or when it has more than `most` bytes. */
export async function readSmall(path: string, most: number): Promise<string | undefined> {
  const file = await openRegular(path);
  if (!file) return undefined;
  try {
    const buffer = Buffer.allocUnsafe(most + 1);
    const { bytesRead } = await file.read(buffer, 0, most + 1, 0);
    return bytesRead > most ? undefined : buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A growing file of lines. One that was cut short or put in place of another is read from its beginning. */
export class Tail {
  private readonly path: string;
  private inode = 0;
  private offset = 0;
  /** The beginning of a line whose end was not written yet. */
  private rest: Buffer[] = [];
  private restLength = 0;
  /** Inside a line that is too long. */
  private skipping = false;

  constructor(path: string) {
    this.path = path;
  }

  private restart(inode: number): void {
    this.inode = inode;
    this.offset = 0;
    this.drop(false);
  }

  private drop(skipping: boolean): void {
    this.rest = [];
    this.restLength = 0;
    this.skipping = skipping;
  }

  /** Whole lines that were not given before: `most` of them, or those in the next MOST_READ bytes, or no more. */
  async next(most: number): Promise<string[]> {
    const file = await openRegular(this.path);
    if (!file) return [];
    try {
      const { ino, size } = await file.stat();
      if (ino !== this.inode || size < this.offset) this.restart(ino);
      return await this.read(file, most);
    } finally {
      await file.close();
    }
  }

  private async read(file: FileHandle, most: number): Promise<string[]> {
    const lines: string[] = [];
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let read = 0; lines.length < most && read < MOST_READ; read += CHUNK) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK, this.offset);
      if (bytesRead === 0) break;
      this.offset += this.take(chunk.subarray(0, bytesRead), lines, most);
    }
    return lines;
  }

  /** Adds the lines that end in `bytes`; how many bytes that took. */
  private take(bytes: Buffer, lines: string[], most: number): number {
    let start = 0;
    while (lines.length < most) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end === -1) {
        this.keep(bytes.subarray(start));
        return bytes.length;
      }
      this.keep(bytes.subarray(start, end));
      if (!this.skipping && this.restLength > 0) lines.push(Buffer.concat(this.rest).toString('utf8'));
      this.drop(false);
      start = end + 1;
    }
    return start;
  }

  private keep(bytes: Buffer): void {
    if (this.skipping || bytes.length === 0) return;
    if (this.restLength + bytes.length > LONGEST_LINE) {
      this.drop(true);
      return;
    }
    // A copy: the chunk is written over by the next read.
    this.rest.push(Buffer.from(bytes));
    this.restLength += bytes.length;
  }
}
