/** The log of predictions as files: what the server writes, what is shipped, and where it lies then. */
import { predictionsPrefix } from './object-location.ts';

/** The name of a complete file: when it was begun, in milliseconds since the epoch, and its number. */
export const PREDICTION_FILE = /^(\d{13})-\d{6,}\.jsonl$/;
/** Ends the name of a file that is still written to. */
export const PREDICTION_PART = '.part';

/** In the order they were written, by name, for as long as a process writes. */
export const predictionFileName = (begunAt: number, number: number): string =>
  `${String(begunAt).padStart(13, '0')}-${String(number).padStart(6, '0')}.jsonl`;

/** Everything a service predicted, with its final slash. */
export const servicePredictions = (namespace: string, service: string): string =>
  `${predictionsPrefix(namespace)}${service}/`;
