/** A socket with the least of HTTP that the load generator needs, and our pipeline: the floor of what Node can do. */
import { createServer, type Socket } from 'node:net';
import { whenThere } from '../../../serving-image/src/model/engine.ts';
import { PORT, predicted } from './pipeline.ts';

const END_OF_HEAD = '\r\n\r\n';

function answer(socket: Socket, body: Buffer): void {
  void whenThere(predicted(body), (text) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}`;
    if (typeof text === 'string') socket.write(`${head}${END_OF_HEAD}${text}`);
    else socket.write(Buffer.concat([Buffer.from(`${head}${END_OF_HEAD}`), text]));
  });
}

createServer((socket) => {
  let pending: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const end = pending.indexOf(END_OF_HEAD);
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(pending.toString('latin1', 0, end))?.[1]);
    const whole = end + END_OF_HEAD.length + length;
    if (pending.length < whole) return;
    const body = pending.subarray(end + END_OF_HEAD.length, whole);
    pending = pending.subarray(whole);
    answer(socket, body);
  });
}).listen(PORT, '127.0.0.1');
