/** node:http that reads a body and says the same whatever is in it. */
import { answerBodies } from './bodies.ts';

answerBodies(Number(process.env['PORT']), () => '{"class_id":[0],"class_label":["setosa"]}');
