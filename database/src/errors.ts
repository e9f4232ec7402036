/** The only reader of Postgres' error codes: turns them into the errors this library promises. */
import {
  DatabaseUnavailableError,
  NothingToAdoptError,
  PublishRefusedError,
  StaleLeaderError,
  UnclaimedNamespaceError,
} from './types.ts';

const unavailableSocketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** What node-postgres says without a code when the connection, not the statement, failed. */
const unavailableMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed)/;

/** SQLSTATE classes and codes that say "not now": each names what a person would look at. */
const unavailableStates: readonly (readonly [RegExp, string])[] = [
  [/^08/, 'the connection failed'],
  [/^28/, 'it refuses the user name or password'],
  [/^3D000/, 'the database does not exist'],
  [/^(3F000|42P01|42883)/, 'the schema is not there yet: the registry migrates it'],
  [/^53/, 'it is out of connections, memory or disk'],
  [/^57P0/, 'it is starting or shutting down'],
  [/^57014/, 'a statement took too long'],
  [/^25006/, 'it is read-only (a standby)'],
  [/^(40001|40P01|55P03)/, 'concurrent transactions collided'],
];

const field = (error: unknown, name: string): string => {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : '';
};

function unavailability(error: unknown): string | undefined {
  const code = field(error, 'code');
  if (unavailableSocketCodes.has(code)) return code;
  const state = unavailableStates.find(([pattern]) => pattern.test(code));
  if (state) return state[1];
  return unavailableMessages.test(field(error, 'message')) ? 'the connection was lost or not made in time' : undefined;
}

/** The promised error for whatever node-postgres threw; an error it knows nothing about comes back as it is. */
export function databaseError(error: unknown): unknown {
  const code = field(error, 'code');
  const options = { cause: error };
  if (code === 'SL001') return new StaleLeaderError(field(error, 'message'), options);
  if (code === 'SL002') return new PublishRefusedError(field(error, 'message'), options);
  if (code === 'SL004') return new NothingToAdoptError(field(error, 'message'), options);
  if (code === 'SL003') return new UnclaimedNamespaceError(field(error, 'message'), options);
  const detail = unavailability(error);
  return detail === undefined ? error : new DatabaseUnavailableError(`Postgres is unavailable: ${detail}`, options);
}

/** True when the main user lacks a right, such as CREATEROLE. */
export const isInsufficientPrivilege = (error: unknown): boolean => field(error, 'code') === '42501';
/** True when another transaction inserted the same thing first. */
export const isUniqueViolation = (error: unknown): boolean => field(error, 'code') === '23505';
/** True when a value was refused before any statement saw it: JSON that Postgres cannot hold. */
export const isDataException = (error: unknown): boolean => field(error, 'code').startsWith('22');
