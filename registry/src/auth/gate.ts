/** Who is it, and may they: one question, asked for every request, answered by one of several gates. */
import type { Access, Caller } from '../http/exchange.ts';
import type { Credentials } from './credentials.ts';

/** Whose request may do this in the namespace; throws ApiError (401, 403, 503), with the next step, when nobody's. */
export type Gate = (credentials: Credentials | undefined, namespace: string, access: Access) => Promise<Caller>;

/** Development: everybody may. */
export const openToAll: Gate = async () => ({ name: 'anonymous' });
