/** What the connections of a lane share. */
import type { Socket } from 'node:net';
import type { AnswerHead } from './answer-head.ts';
import type { LaneConnection } from './connection.ts';
import type { FindHead } from './known-heads.ts';
import type { LaneExchange } from './lane-exchange.ts';

/** Bytes. */
export interface Room {
  held: number;
  readonly most: number;
}

export interface LaneRules {
  readonly find: FindHead;
  /** A body may come in pieces. */
  readonly mayWait: boolean;
  /** Longer bodies are node:http's. */
  readonly maxBodyBytes: number;
  /** For bodies that are here or announced, all together. */
  readonly room: Room;
  /** How long whatever is not whole may take here. */
  readonly patienceMs: number;
  /** How long a connection may be without its first request. */
  readonly firstMs: number;
  /** Answers now or later, once. */
  ask(exchange: LaneExchange, body: Buffer): void;
  /** The client has gone before the request was whole. */
  abort(exchange: LaneExchange, error: Error): void;
  /** The text of a head. */
  writeHead(head: AnswerHead, now: number): string;
  readonly isDraining: () => boolean;
  forget(connection: LaneConnection): void;
  /** To node:http, for good. */
  handOver(socket: Socket): void;
}
