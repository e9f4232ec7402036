/** Where the second thread begins when the program runs from its sources; in a bundle it is main.ts that asks. */
import { hostModel } from './host.ts';

await hostModel();
