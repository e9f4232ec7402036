/**
 * Lines to standard output without ever waiting for whoever reads it. A pipe is opened once more, for writing that returns
 * at once when it is full; what did not fit goes on where it stopped. All that the process prints goes this way, so that
 * nothing comes between two halves of a line.
 */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Chunk, createChunkQueue, type Sink } from './chunks.ts';

export interface StdoutSinkOptions {
  /** 1 when absent. */
  readonly fd?: number;
  readonly maxBytes: number;
  readonly onDropped: (lines: number) => void;
}

export interface StdoutSink extends Sink {
  /** What can be written without waiting is, at once: the last thing a process does. */
  flushNow(): void;
}

/** A reader that reads takes a pipe's worth in less; one that stands still is asked less and less often. */
const FIRST_RETRY_MS = 1;
const RETRY_MS = 25;

/** Writes some of `bytes` and says how many; fewer than there are when there is no room now. Throws when nobody will ever read it. */
type WriteSome = (bytes: Buffer) => number;

/** Throws nothing: undefined where this cannot be had. */
function openWithoutWaiting(fd: number): WriteSome | undefined {
  try {
    const stats = fstatSync(fd);
    if (!stats.isFIFO()) return undefined;
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    return (bytes) => {
      try {
        return writeSync(own, bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
        throw error;
      }
    };
  } catch {
    return undefined;
  }
}

/** Keeps `maxBytes` for a reader that stands still. */
export function createStdoutSink({ fd = 1, maxBytes, onDropped }: StdoutSinkOptions): StdoutSink {
  const writeSome = openWithoutWaiting(fd);
  return writeSome ? pipeSink(writeSome, maxBytes, onDropped) : callbackSink(fd, laterWriter(fd), maxBytes, onDropped);
}

function pipeSink(writeSome: WriteSome, maxBytes: number, onDropped: (lines: number) => void): StdoutSink {
  const queue = createChunkQueue(maxBytes, onDropped);
  /** What is left of a chunk: it is not in the queue, because what is half written must not be given up. */
  let rest: Chunk | undefined;
  let timer: NodeJS.Timeout | undefined;
  let pause = FIRST_RETRY_MS;

  /** How many bytes are done with: written, or never to be read by anybody. */
  const put = ({ bytes, lines }: Chunk): number => {
    try {
      return writeSome(bytes);
    } catch {
      onDropped(lines);
      return bytes.length;
    }
  };
  const wait = (hasMoved: boolean): void => {
    pause = hasMoved ? FIRST_RETRY_MS : Math.min(2 * pause, RETRY_MS);
    timer = setTimeout(pump, pause).unref();
  };
  const next = (): Chunk | undefined => {
    const chunk = rest ?? queue.first();
    if (chunk && !rest) queue.shift();
    return chunk;
  };
  const pump = (): void => {
    timer = undefined;
    for (let chunk = next(); chunk; chunk = next()) {
      const done = put(chunk);
      rest = done < chunk.bytes.length ? { ...chunk, bytes: chunk.bytes.subarray(done) } : undefined;
      if (!rest) continue;
      wait(done > 0);
      return;
    }
  };
  return {
    offer(chunk) {
      if (rest) {
        queue.push(chunk);
        return;
      }
      // Nearly always all of it goes at once, and nothing is copied.
      const done = put(chunk);
      if (done === chunk.bytes.length) return;
      rest = { bytes: Buffer.from(chunk.bytes.subarray(done)), lines: chunk.lines };
      wait(done > 0);
    },
    flushNow() {
      clearTimeout(timer);
      pump();
    },
    async close(patienceMs) {
      const until = performance.now() + patienceMs;
      while (rest && performance.now() < until) await sleep(FIRST_RETRY_MS);
    },
  };
}

/** Writes from `at` on and tells, some time later, how many bytes it were. */
type WriteLater = (bytes: Buffer, at: number, done: (error: Error | null | undefined, written: number) => void) => void;

/** A thread that waits for a reader would keep the process from ending: only files are left to one. */
function laterWriter(fd: number): WriteLater {
  const stats = fstatSync(fd);
  if (!stats.isSocket() && !stats.isFIFO()) {
    return (bytes, at, done) => write(fd, bytes, at, bytes.length - at, null, done);
  }
  const socket = new Socket({ fd, readable: false, writable: true }).unref();
  // Every write is told of by itself.
  socket.on('error', () => {});
  return (bytes, at, done) => socket.write(bytes.subarray(at), (error) => done(error, bytes.length - at));
}

/** A file, a terminal, a socket: one chunk after the other. */
function callbackSink(
  fd: number,
  writeLater: WriteLater,
  maxBytes: number,
  onDropped: (lines: number) => void,
): StdoutSink {
  const queue = createChunkQueue(maxBytes, onDropped);
  let writing: { bytes: Buffer; at: number; lines: number } | undefined;

  const step = (): void => {
    if (!writing) {
      const chunk = queue.first();
      if (!chunk) return;
      queue.shift();
      writing = { ...chunk, at: 0 };
    }
    const begun = writing;
    writeLater(begun.bytes, begun.at, (error, written) => {
      if ((error as NodeJS.ErrnoException)?.code === 'EAGAIN') return void setTimeout(step, RETRY_MS).unref();
      if (error) onDropped(begun.lines);
      begun.at += written;
      if (error || begun.at >= begun.bytes.length) writing = undefined;
      step();
    });
  };
  return {
    offer(chunk) {
      queue.push(chunk);
      if (!writing) step();
    },
    flushNow() {
      for (let chunk = queue.first(); chunk; chunk = queue.first()) {
        queue.shift();
        try {
          writeSync(fd, chunk.bytes);
        } catch {
          onDropped(chunk.lines);
        }
      }
    },
    async close(patienceMs) {
      const until = performance.now() + patienceMs;
      while ((writing || !queue.isEmpty) && performance.now() < until) await sleep(RETRY_MS);
    },
  };
}
