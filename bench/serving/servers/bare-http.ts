/** node:http with our pipeline and nothing else: no headers of ours, no metrics, no log, no limits. */
import { answerBodies } from './bodies.ts';
import { PORT, predicted } from './pipeline.ts';

answerBodies(PORT, predicted);
