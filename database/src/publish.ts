/** Publishing, as the trainer's `publish` container does it with its tenant's own role. */
import { PublishRequest, PublishResult } from '@slipway/contract';
import { isDataException } from './errors.ts';
import { type Queryable, query } from './pool.ts';
import { PublishRefusedError } from './types.ts';

/**
 * Ends the run as FINISHED with its metrics and version, in one transaction. May be repeated: the first result comes
 * back. Throws PublishRefusedError when repeating cannot help, DatabaseUnavailableError when it may.
 */
export async function publishRun(on: Queryable, request: PublishRequest): Promise<PublishResult> {
  const body = JSON.stringify(PublishRequest.parse(request));
  const rows = await query<{ result: unknown }>(on, 'SELECT slipway.publish_run($1::jsonb) AS result', [body]).catch(
    (error) => {
      throw isDataException(error) ? new PublishRefusedError('a text holds a NUL character', { cause: error }) : error;
    },
  );
  return PublishResult.parse(rows[0]?.result);
}

/** What an earlier `publishRun` of this run came to; undefined when there was none. */
export async function findPublished(on: Queryable, runKey: string): Promise<PublishResult | undefined> {
  const rows = await query<{ result: unknown }>(on, 'SELECT slipway.find_published($1) AS result', [runKey]);
  return rows[0]?.result == null ? undefined : PublishResult.parse(rows[0].result);
}
