/** Every way to ask for predictions. */
import { invocationsProtocol } from './invocations.ts';
import { kserveV1Protocol } from './kserve-v1.ts';
import { openInferenceProtocol } from './open-inference.ts';
import { predictProtocol } from './predict.ts';
import type { Protocol } from './protocol.ts';

export const PROTOCOLS: readonly Protocol[] = [
  predictProtocol,
  openInferenceProtocol,
  invocationsProtocol,
  kserveV1Protocol,
];
