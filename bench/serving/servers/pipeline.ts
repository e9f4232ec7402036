/** Our own pipeline without our server around it: what the floors of the comparison are made of. */
import { serveConfig } from '../../../serving-image/src/config.ts';
import { type MaybePromise, whenThere } from '../../../serving-image/src/model/engine.ts';
import { inspectFile, loadModel } from '../../../serving-image/src/model/load.ts';
import { serveModel } from '../../../serving-image/src/model/served-model.ts';
import { predictProtocol } from '../../../serving-image/src/protocols/predict.ts';

const config = serveConfig(process.env);
const { files = [] } = config.MODEL_ARTIFACT;
await inspectFile(config.MODEL_DIR, files);
const loaded = await loadModel(config.MODEL_DIR, files, 1, { engine: config.SERVE_SETTINGS.engine });
const model = serveModel({ name: 'bench', version: '1', digest: '' }, loaded, { maxRows: 4096, maxQueued: 1024 });

export const PORT = config.PORT;

/** The answer's body to the body of a `/predict`: checked, scored in shared batches and printed as the server does. */
export const predicted = (body: Buffer): MaybePromise<string | Buffer> =>
  whenThere(predictProtocol.answer({ path: '/predict', query: '', headers: {}, body }, model), (answer) => answer.body);
