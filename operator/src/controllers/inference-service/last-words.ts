/** What a server said last, as far as it may be shown to whoever may read the object. Pure. */

/** The kubelet takes so much of the end of a log, wherever a line begins. */
const CUT_BYTES = 2048;
/** `module` of the line that is written for each prediction: it holds what a client sent. */
const PREDICTIONS = 'slipway.serving';

const isPrediction = (line: string): boolean => {
  try {
    return (JSON.parse(line) as { module?: unknown }).module === PREDICTIONS;
  } catch {
    // Half of a line: nobody knows of which.
    return true;
  }
};

/**
 * The last `most` characters of the end of a server's log, without the lines of its predictions: who may read a service's
 * status, or its events, need not be one who may read its logs.
 */
export function lastWordsOf(tail: string, most: number): string {
  const lines = tail.split('\n');
  // May be what is left of a line.
  if (Buffer.byteLength(tail) >= CUT_BYTES) lines.shift();
  const shown = lines.filter((line) => !line.startsWith('{') || !isPrediction(line));
  return shown.join('\n').trim().slice(-most);
}
