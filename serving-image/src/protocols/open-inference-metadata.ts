/** Open Inference Protocol V2: everything but `infer`. */
import { type Request, type Response, Router } from 'express';
import type { TensorSpec } from '../model/tensor.ts';
import { methodNotAllowed, notReady, Refusal } from '../request/refusal.ts';
import { isReady, type ServerState } from '../request/state.ts';
import { checkAddress } from './open-inference.ts';
import { DATATYPES } from './tensor-json.ts';

const tensorMetadata = ({ name, type, dims }: TensorSpec) => ({ name, datatype: DATATYPES[type], shape: dims });

type Params = { model: string; version?: string; action?: string };

const unavailable = (state: ServerState) => ({
  state: state.isDraining ? 'UNLOADING' : 'LOADING',
  reason: state.isDraining ? 'the server is leaving' : 'the model is still loading',
});

/** Mounted at /v2. Refusals leave as `{"error"}`. */
export function openInferenceRoutes(state: ServerState, serverVersion: string): Router {
  const router = Router();
  const { identity } = state;
  const get = (paths: string | string[], handler: (params: Params, response: Response) => void): void => {
    router.get(paths, (request, response) => handler(request.params as unknown as Params, response));
    router.all(paths, () => {
      throw methodNotAllowed('GET');
    });
  };
  const readiness = (response: Response): Response => response.status(isReady(state) ? 200 : 503);

  get(
    '/',
    (_, response) =>
      void response.json({ name: 'slipway', version: serverVersion, extensions: ['binary_tensor_data'] }),
  );
  get('/health/live', (_, response) => void response.json({ live: true }));
  get('/health/ready', (_, response) => void readiness(response).json({ live: true, ready: isReady(state) }));
  get('/models', (_, response) => void response.json({ models: [identity.name] }));
  get(['/models/:model', '/models/:model/versions/:version'], ({ model, version }, response) => {
    checkAddress(identity, encodeURIComponent(model), version && encodeURIComponent(version));
    if (!state.model) throw notReady();
    response.json({
      name: identity.name,
      versions: [identity.version],
      platform: 'onnx_onnxv1',
      inputs: state.model.inputs.map(tensorMetadata),
      outputs: state.model.outputs.map(tensorMetadata),
      // Beside the protocol's own: what /predict takes by name.
      parameters: { features: state.model.signature.inputs },
    });
  });
  get(['/models/:model/ready', '/models/:model/versions/:version/ready'], ({ model, version }, response) => {
    checkAddress(identity, encodeURIComponent(model), version && encodeURIComponent(version));
    readiness(response).json({ name: identity.name, ready: isReady(state) });
  });
  const post = (path: string, handler: (params: Params, response: Response) => void): void => {
    router.post(path, (request, response) => handler(request.params as unknown as Params, response));
    router.all(path, () => {
      throw methodNotAllowed('POST');
    });
  };
  post('/repository/index', (_, response) => {
    const model = { name: identity.name, version: identity.version };
    response.json([isReady(state) ? { ...model, state: 'READY', reason: '' } : { ...model, ...unavailable(state) }]);
  });
  post('/repository/models/:model/:action', ({ model, action }) => {
    checkAddress(identity, encodeURIComponent(model), undefined);
    if (action !== 'load' && action !== 'unload') throw new Refusal(404, 'Not found');
    throw new Refusal(
      403,
      `This server has version ${identity.version} of ${identity.name} for all its life; which model is served is ` +
        'decided by spec.model and spec.version of its InferenceService',
    );
  });
  router.use((_request: Request, _response: Response) => {
    throw new Refusal(404, 'Not found');
  });
  return router;
}
