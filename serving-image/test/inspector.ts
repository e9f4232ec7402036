/** A debugger on a program of ours: what happens inside a thread that nothing outside can reach otherwise. */
import type { Program } from './program.ts';

/** Put into a program's environment, lets `inThread` reach it. */
export const INSPECTED: Readonly<Record<string, string>> = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId?: string };
}

/** Runs `script` in the program's only thread beside its main one. Resolves once it was handed over. */
export async function inThread({ log }: Program, script: string): Promise<void> {
  const address = /Debugger listening on (ws:\S+)/.exec(log())?.[1];
  if (address === undefined) throw new Error('the program was not started with INSPECTED');
  const socket = new WebSocket(address);
  const handedOver = Promise.withResolvers<void>();
  const send = (id: number, method: string, params: object): void =>
    socket.send(JSON.stringify({ id, method, params }));
  socket.addEventListener('error', () => handedOver.reject(new Error('the debugger cannot be reached')));
  socket.addEventListener('open', () => send(1, 'NodeWorker.enable', { waitForDebuggerOnStart: false }));
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params } = JSON.parse(String(data)) as Message;
    if (method === 'NodeWorker.attachedToWorker') {
      const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: script } });
      send(2, 'NodeWorker.sendMessageToWorker', { sessionId: params?.sessionId, message });
    }
    if (id === 2) handedOver.resolve();
  });
  await handedOver.promise.finally(() => socket.close());
}
