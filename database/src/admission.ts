/** What the registry asks before it lets a request in: small questions, asked often. */
import { type Database, query } from './pool.ts';

export interface Admission {
  /** True while the run is RUNNING or SCHEDULED and not deleted: only then is its token good. */
  isRunOpen(namespace: string, runId: string): Promise<boolean>;
  /** The uid of the Kubernetes namespace that the name is bound to; undefined when nobody has claimed it. */
  ownerOf(namespace: string): Promise<string | undefined>;
}

/** Reads as the main user, who sees every tenant. */
export const openAdmission = (pool: Database): Admission => ({
  async isRunOpen(namespace, runId) {
    const rows = await query(
      pool,
      `SELECT FROM slipway.runs WHERE namespace = $1 AND run_id = $2
         AND status IN ('RUNNING', 'SCHEDULED') AND lifecycle_stage = 'active'`,
      [namespace, runId],
    );
    return rows.length > 0;
  },

  async ownerOf(namespace) {
    const [row] = await query<{ uid: string }>(
      pool,
      'SELECT namespace_uid AS uid FROM slipway.tenants WHERE namespace = $1',
      [namespace],
    );
    return row?.uid;
  },
});
