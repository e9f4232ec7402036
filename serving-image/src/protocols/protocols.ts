/** Every way to ask for predictions. */
import { openInferenceProtocol } from './open-inference.ts';
import { predictProtocol } from './predict.ts';
import type { Protocol } from './protocol.ts';

export const PROTOCOLS: readonly Protocol[] = [predictProtocol, openInferenceProtocol];
