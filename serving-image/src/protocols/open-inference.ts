/** Open Inference Protocol V2, `POST /v2/models/{name}[/versions/{version}]/infer` with tensors as JSON or as bytes behind it. */

import { whenThere } from '../model/engine.ts';
import type { ModelIdentity } from '../model/served-model.ts';
import { Refusal } from '../request/refusal.ts';
import { writeInferAnswer } from './open-inference-answer.ts';
import { readInferRequest } from './open-inference-request.ts';
import type { Protocol } from './protocol.ts';

const PATH = /^\/v2\/models\/([^/]{1,1024})(?:\/versions\/([^/]{1,256}))?\/infer$/;

export const openInferenceProtocol: Protocol = {
  endpoint: 'v2_infer',
  matches: (path) => path.startsWith('/v2/models/') && path.endsWith('/infer') && PATH.test(path),
  // Triton's client names no type at all.
  contentTypes: ['application/json', 'application/octet-stream', ''],
  answer: ({ path, headers, body }, model) => {
    checkPath(path, model.identity);
    const request = readInferRequest(body, headers, model);
    return whenThere(model.scoreTensors(request.inputs), (scored) => ({
      ...writeInferAnswer(request, model, scored.outputs),
      scored,
    }));
  },
  refuse: ({ message }) => JSON.stringify({ error: message }),
};

/** The last path that was right, and of which model: nearly all requests have it. */
let right: { readonly path: string; readonly identity: ModelIdentity } | undefined;

function checkPath(path: string, identity: ModelIdentity): void {
  if (right?.path === path && right.identity === identity) return;
  const [, name, version] = PATH.exec(path) ?? [];
  checkAddress(identity, name ?? '', version);
  right = { path, identity };
}

/** Throws Refusal(404) unless the path's segments name the model and, if given, the version that is served here. */
export function checkAddress(identity: ModelIdentity, name: string, version: string | undefined): void {
  if (decoded(name) !== identity.name) throw new Refusal(404, `Model not found; this server has ${identity.name}`);
  if (version === undefined || decoded(version) === identity.version) return;
  throw new Refusal(404, `Version not found; this server has version ${identity.version} of ${identity.name}`);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
