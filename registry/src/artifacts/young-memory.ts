/**
 * Keeps memory flat while bytes stream through. Node makes a new 64 KiB buffer for every piece that arrives; V8 sees a small
 * object each and waits until many have gathered, with tens of megabytes behind them. So the young ones are collected
 * after every few megabytes: about a millisecond each time.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY_BYTES = 6 * 1024 * 1024;

type Collect = (options: { type: 'minor' }) => void;

function youngCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as Collect;
  return () => gc({ type: 'minor' });
}

let collect: (() => void) | undefined;
let passed = 0;

/** To be told of every piece that streams by. */
export function streamedBy(bytes: number): void {
  passed += bytes;
  if (passed < EVERY_BYTES) return;
  passed = 0;
  collect = collect ?? youngCollector();
  collect();
}
