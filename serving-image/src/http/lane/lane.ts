/**
 * The short way for what nearly every request is: POST of a small whole body for a protocol, on a kept connection. It leads
 * past node:http, whose objects for a request and an answer cost more than a prediction. Which requests those are is decided
 * by their head alone; see head.ts.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { createAdmission } from '../admission.ts';
import type { Answering } from '../answering.ts';
import type { Route, ServerOptions } from '../options.ts';
import { createAnswerHeads } from './answer-head.ts';
import { LaneConnection } from './connection.ts';
import { createKnownHeads } from './known-heads.ts';
import type { Connection, LaneRules } from './rules.ts';

export interface Lane {
  /** Ends connections that wait for nothing. */
  closeIdle(): void;
  closeAll(): void;
}

export interface LaneOptions {
  readonly options: ServerOptions;
  readonly answering: Answering;
  readonly routeOf: (url: string) => Route;
  /** How long a connection may be idle. */
  readonly keepAliveMs: number;
}

/** Also how long a request may be on its way before node:http, with its limits for that, is to wait for the rest. */
const SWEEP_MS = 250;
/** Of longer bodies nothing shows of what is saved here. */
const MOST_BODY = 256 * 1024;
/** All bodies together. */
const ROOM_BYTES = 32 * 1024 * 1024;

/** From now on connections of `server` come here first. */
export function openLane(server: Server, { options, answering, routeOf, keepAliveMs }: LaneOptions): Lane {
  const { state, authorize, metrics, maxBodyBytes, requestTimeoutMs } = options;
  const connections = new Set<Connection>();
  const ordinary = server.listeners('connection') as ((socket: Socket) => void)[];
  const admit = createAdmission(options, answering);
  const rules: LaneRules = {
    find: createKnownHeads(routeOf),
    // Whoever may not ask is told so before their body is read.
    mayWait: authorize === undefined,
    maxBodyBytes: Math.min(maxBodyBytes, MOST_BODY),
    room: { held: 0, most: ROOM_BYTES },
    patienceMs: SWEEP_MS,
    firstMs: requestTimeoutMs,
    ask(exchange, body) {
      admit(exchange, (admitted, model) => answering.respond(admitted, model, body, admitted));
    },
    abort(exchange, error) {
      metrics.requestStarted();
      answering.refuse(exchange, error);
    },
    writeHead: createAnswerHeads(state.identity, keepAliveMs / 1000),
    isDraining: () => state.isDraining,
    forget: (connection) => void connections.delete(connection),
    handOver(socket) {
      for (const listener of ordinary) listener.call(server, socket);
    },
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    connections.add(new LaneConnection(socket, rules));
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const connection of connections) connection.sweep(now, keepAliveMs);
  }, SWEEP_MS).unref();
  server.once('close', () => clearInterval(timer));
  return {
    closeIdle() {
      for (const connection of connections) if (connection.isIdle) connection.cut();
    },
    closeAll() {
      for (const connection of connections) connection.cut();
    },
  };
}
