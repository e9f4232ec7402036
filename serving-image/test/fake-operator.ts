/** The operator's control API in this process, answering as a test says. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './folder.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly key: string | undefined;
  readonly trace: { readonly parent: string | undefined; readonly state: string | undefined };
  readonly body: string;
}
export interface Told {
  readonly status: number;
  readonly body: object;
}

export const RUN_ID = 'a'.repeat(32);
export const running = { status: 'RUNNING', run_id: RUN_ID } as const;

export interface FakeOperator {
  /** What a server needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  readonly asked: readonly Asked[];
  /** Resolves when that many questions have come. */
  heard(count: number): Promise<void>;
  /** What is answered from now on; a function that never settles keeps the client waiting. */
  answer: (asked: Asked) => Told | Promise<Told>;
  rotateToken(token: string): Promise<void>;
  stop(): Promise<void>;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export async function fakeOperator(
  t: Pick<TestContext, 'after'>,
  answer: FakeOperator['answer'],
): Promise<FakeOperator> {
  const tokenDir = await temporaryFolder(t);
  const rotateToken = (token: string) => writeFile(join(tokenDir, 'token'), token);
  await rotateToken('first-token');
  const asked: Asked[] = [];
  let waiters: (() => void)[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers } = request;
    const [token, key] = [headers.authorization, headers['idempotency-key'] as string | undefined];
    const trace = {
      parent: headers['traceparent'] as string | undefined,
      state: headers['tracestate'] as string | undefined,
    };
    const question = { method, path, token, key, trace, body: await textOf(request) };
    asked.push(question);
    for (const wake of waiters) wake();
    const { status, body } = await operator.answer(question);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.after(stop);
  const operator: FakeOperator = {
    env: { OPERATOR_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, OPERATOR_TOKEN_DIR: tokenDir },
    asked,
    async heard(count) {
      while (asked.length < count) await new Promise<void>((resolve) => waiters.push(resolve));
      waiters = [];
    },
    answer,
    rotateToken,
    stop,
  };
  return operator;
}

/** An answer that never comes. */
export const never = new Promise<Told>(() => {});
