/** Where the process that proves begins. An entry of its own, for it needs little of the program and shall start at once. */
import { hostProof } from './proof-host.ts';

hostProof();
