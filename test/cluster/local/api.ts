import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The cluster's API as its administrator. Answers carry any status; only a connection that fails throws. */
export interface Api {
  readonly send: (method: string, path: string, body?: object) => Promise<Answer>;
  /** Creates or changes the object to hold exactly the given fields. Throws what the server refuses. */
  readonly apply: (path: string, object: object) => Promise<void>;
  /** The object or list at the path; undefined unless the answer is 200. */
  readonly get: <T>(path: string) => Promise<T | undefined>;
}

/** Connects with the administrator's certificate, which must exist. */
export async function connect(paths: Paths): Promise<Api> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(`${paths.pki}/${file}`)),
  );
  const agent = new Agent({ keepAlive: true, ...(ca && cert && key ? { ca, cert, key } : {}) });
  const send = (method: string, path: string, body?: object): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
      const options = { agent, method, timeout: 10_000, headers: { 'content-type': type } };
      const call = request(`${addresses.apiServer}${path}`, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', reject);
      });
      call.on('timeout', () => call.destroy(new Error(`the API server did not answer ${method} ${path}`)));
      call.on('error', reject);
      call.end(body && JSON.stringify(body));
    });
  return {
    send,
    apply: async (path, object) => {
      const answer = await send('PATCH', `${path}?fieldManager=slipway-cluster&force=true`, object);
      if (answer.status >= 300) throw new Error(`applying ${path}: ${answer.status} ${answer.body}`);
    },
    get: async <T>(path: string) => {
      const answer = await send('GET', path);
      return answer.status === 200 ? (JSON.parse(answer.body) as T) : undefined;
    },
  };
}
