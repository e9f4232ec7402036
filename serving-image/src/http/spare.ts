/** Ending idle connections without cutting off answers that are still on their way. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * From now on `closeIdleConnections` ends none while somebody has not read all of their answer. To node:http a connection is
 * idle as soon as its answer was handed to it, and what had not left by then would be lost.
 */
export function spareAnswers(server: Server, event: 'connection' | 'secureConnection' = 'connection'): void {
  const sockets = new Set<Socket>();
  server.on(event, (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const isSending = (): boolean => {
    for (const { writableLength } of sockets) if (writableLength > 0) return true;
    return false;
  };
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    if (!isSending()) closeIdle();
  };
}
