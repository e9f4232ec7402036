/** What the connections of a lane share. */
import type { Socket } from 'node:net';
import type { Held } from '../../request/body.ts';
import type { Exchange } from '../exchange.ts';
import type { AnswerHead } from './answer-head.ts';
import type { FindHead } from './known-heads.ts';

/** A connection as its exchanges see it. */
export interface Way {
  readonly isGone: boolean;
  /** Sends an answer; `isText`: the body is ASCII; `isLast`: and ends the connection. */
  answer(head: string, body: string | Buffer, isText: boolean, isLast: boolean): void;
  cut(): void;
}

/** A connection as the lane looks after it. */
export interface Connection extends Way {
  /** Nothing is asked, nor on its way in either direction. */
  readonly isIdle: boolean;
  /** To be called now and then: what takes long is node:http's, which has limits for all of it. */
  sweep(now: number, keepAliveMs: number): void;
}

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
  ask(exchange: Exchange & Held, body: Buffer): void;
  /** The client has gone before the request was whole. */
  abort(exchange: Exchange, error: Error): void;
  /** The text of a head. */
  writeHead(head: AnswerHead, now: number): string;
  readonly isDraining: () => boolean;
  forget(connection: Connection): void;
  /** To node:http, for good. */
  handOver(socket: Socket): void;
}
