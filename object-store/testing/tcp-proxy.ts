/** A door in front of a real server that tests open and shut. */
import net from 'node:net';

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** Cuts every connection and refuses new ones until `open`. */
  shut(): void;
  open(): void;
  /** Accepts connections and passes nothing on, until `open`. */
  swallow(): void;
  stop(): Promise<void>;
}

/** Passes bytes to `host:port`. */
export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let state: 'open' | 'shut' | 'swallowing' = 'open';
  const sockets = new Set<net.Socket>();
  const track = (socket: net.Socket): net.Socket => {
    sockets.add(socket);
    // A cut connection fails at both ends; the tests look at what the program makes of it.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = net.createServer((client) => {
    track(client);
    if (state === 'shut') return void client.resetAndDestroy();
    if (state === 'swallowing') return void client.resume();
    const upstream = track(net.connect(port, host));
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const enter = (next: typeof state) => () => {
    state = next;
    if (next !== 'open') cut();
  };
  return {
    host: '127.0.0.1',
    port: (server.address() as net.AddressInfo).port,
    shut: enter('shut'),
    open: enter('open'),
    swallow: enter('swallowing'),
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
