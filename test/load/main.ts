/**
 * The load client as a pod's process: posts to the first argument what the second holds, until the file named by the
 * third exists; prints how many answers there were every half second and the result as its last line.
 */
import { existsSync } from 'node:fs';
import { runLoad } from './client.ts';

const [url = '', body = '', stopFile = '', seconds = '300'] = process.argv.slice(2);
const stop = new AbortController();
let answers = 0;
const timer = setInterval(() => {
  if (existsSync(stopFile)) stop.abort();
  console.log(JSON.stringify({ answers }));
}, 500);
setTimeout(() => stop.abort(), Number(seconds) * 1000).unref();

const count = () => {
  answers += 1;
};
const load = (connections: number, keepAlive: boolean) =>
  runLoad({ url, body, connections, keepAlive, signal: stop.signal, onAnswer: count, pauseMs: 4 });
// Two kinds of client at once: kept-alive connections meet a draining server, fresh ones a changing set of endpoints.
const [kept, fresh] = await Promise.all([load(6, true), load(2, false)]);
clearInterval(timer);
console.log(JSON.stringify({ kept, fresh }));
