/**
 * The identity of one training run. Everything made for a run (Job, run row, object keys, version) is named from its
 * key, so repeating any step after a crash finds what the first try made.
 */
import { sha256Hex } from './hash.ts';

/** `<TrainingJob uid>/g<generation>`: the generation is that of the last change that asks for training. */
export const runKeyFor = (ownerUid: string, generation: number): string => `${ownerUid}/g${generation}`;

/** The MLflow run id of a run key: 32 lower-case hex characters, the same for the same key for ever. */
export const runIdFor = (runKey: string): string => sha256Hex(runKey).slice(0, 32);
