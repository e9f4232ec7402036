/** Asking the server behind whether it is ready, in the words of its protocol. */
import type { RuntimeProtocol } from '@slipway/contract';
import { type Heard, type Server, say } from './say.ts';

const PATIENCE_MS = 5_000;
/** Of an answer that is not understood. */
const MAX_WORDS = 200;

/** `gone`: nothing listens there. `silent`: it did not answer in time. */
export type Health = { readonly is: 'ready' } | { readonly is: 'unready' | 'gone' | 'silent'; readonly words: string };

/** Where a protocol says whether its model is there. */
export function healthPath(protocol: RuntimeProtocol, model: string): string {
  if (protocol === 'mlflow') return '/ping';
  return protocol === 'v1' ? `/v1/models/${encodeURIComponent(model)}` : '/v2/health/ready';
}

/** Never throws. */
export async function askHealth(server: Server, protocol: RuntimeProtocol, model: string): Promise<Health> {
  const path = healthPath(protocol, model);
  const asked = `GET ${path} at port ${server.port}`;
  try {
    const heard = await say(server, { method: 'GET', path, patienceMs: PATIENCE_MS });
    if (isReady(protocol, heard)) return { is: 'ready' };
    return { is: 'unready', words: `${asked} was answered with ${heard.status}${hint(protocol, heard)}` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return { is: 'gone', words: `nothing listens at port ${server.port}` };
    return { is: 'silent', words: `${asked} was not answered (${code ?? message})` };
  }
}

/** A server of V1 may know the model and yet have to load it. */
function isReady(protocol: RuntimeProtocol, { status, body }: Heard): boolean {
  if (status !== 200) return false;
  return protocol !== 'v1' || !/"ready"\s*:\s*(false|"False")/i.test(body);
}

function hint(protocol: RuntimeProtocol, { status, body }: Heard): string {
  if (protocol === 'v1' && status === 404)
    return ': it serves a model of another name ($(MODEL_NAME) is the right one)';
  const words = body.trim().slice(0, MAX_WORDS);
  return words === '' ? '' : `: ${words}`;
}
