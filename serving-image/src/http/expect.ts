/** `Expect: 100-continue`: a client that asks before it sends hears a refusal instead of sending for nothing. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { whenRead } from '../request/expect.ts';

/** From now on such requests are handled as any other, and their client is told to go on when its body is wanted. */
export function continueWhenWanted(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    whenRead(request, () => response.writeContinue());
    server.emit('request', request, response);
  });
}
