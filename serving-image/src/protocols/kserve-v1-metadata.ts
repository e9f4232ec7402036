/** KServe's V1 protocol: everything but `:predict`. */
import { type Response, Router } from 'express';
import { methodNotAllowed, Refusal } from '../request/refusal.ts';
import { isReady, type ServerState } from '../request/state.ts';
import { checkModel } from './kserve-v1.ts';

/** Mounted at /v1. Refusals leave as `{"error"}`. */
export function kserveV1Routes(state: ServerState): Router {
  const router = Router();
  const { identity } = state;
  const only = (method: 'get' | 'post', path: string | RegExp, handler: (name: string, response: Response) => void) => {
    router[method](path, ({ params }, response) => {
      const { model } = params as { model?: string };
      handler(encodeURIComponent(model ?? ''), response);
    });
    router.all(path, () => {
      throw methodNotAllowed(method.toUpperCase());
    });
  };
  only('get', '/models', (_, response) => void response.json({ models: [identity.name] }));
  only('post', /^\/models\/(?<model>[^/]{1,1024}):explain$/, (name) => {
    checkModel(identity, name);
    throw new Refusal(501, 'This server gives predictions without explanations; ask :predict');
  });
  // Behind a colon stands what is to be done with the model, and there is nothing else to do.
  router.all(/^\/models\/[^/]*:[^/:]*$/, () => {
    throw new Refusal(404, 'Not found; ask :predict');
  });
  only('get', '/models/:model', (name, response) => {
    checkModel(identity, name);
    const isUp = isReady(state);
    response.status(isUp ? 200 : 503).json(isUp ? { name: identity.name, ready: true } : notReadyBody(identity.name));
  });
  router.use(() => {
    throw new Refusal(404, 'Not found');
  });
  return router;
}

const notReadyBody = (name: string): object => ({ error: `Model with name ${name} is not ready.` });
