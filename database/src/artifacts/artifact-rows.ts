import { s3Uri, tenantPrefix } from '@slipway/contract';
import { type Queryable, query } from '../pool.ts';
import type { ArtifactDigest, ArtifactRows, KeptBy } from './types.ts';

/** LIKE takes three characters for something else. */
const likeBelow = (path: string): string => `${path.replace(/[\\%_]/g, '\\$&')}/%`;

/** `a/b/c` → a, a/b, a/b/c: the folders a path lies in, and itself. */
const selfAndAbove = (path: string): string[] =>
  path.split('/').map((_, index, segments) => segments.slice(0, index + 1).join('/'));

const uriOf = (bucket: string, namespace: string, path: string): string =>
  s3Uri({ bucket, key: `${tenantPrefix(namespace)}${path}` });

/** What is remembered of uploads, over one pool. */
export const artifactRows = (on: Queryable): ArtifactRows => ({
  async record(namespace, { path, size, sha256, etag }) {
    await query(
      on,
      `INSERT INTO slipway.artifacts (namespace, path, size, sha256, etag) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (namespace, path) DO UPDATE
           SET size = excluded.size, sha256 = excluded.sha256, etag = excluded.etag, stored_time = now()`,
      [namespace, path, size, sha256, etag],
    );
  },

  async digests(namespace, path) {
    const rows = await query<Omit<ArtifactDigest, 'size'> & { size: string }>(
      on,
      `SELECT path, size, sha256, etag FROM slipway.artifacts
         WHERE namespace = $1 AND (path = $2 OR path LIKE $3) ORDER BY path COLLATE "C"`,
      [namespace, path, likeBelow(path)],
    );
    return rows.map((row) => ({ ...row, size: Number(row.size) }));
  },

  async forget(namespace, path) {
    await query(on, 'DELETE FROM slipway.artifacts WHERE namespace = $1 AND (path = $2 OR path LIKE $3)', [
      namespace,
      path,
      likeBelow(path),
    ]);
  },

  async servedFrom(namespace, bucket, path) {
    const [served] = await query<{ model: string; version: number; service: string }>(
      on,
      `SELECT v.model, v.version, u.service FROM slipway.version_uses u
         JOIN slipway.model_versions v USING (namespace, model, version)
         WHERE u.namespace = $1 AND (v.source_uri = ANY ($2) OR v.artifact_uri = ANY ($2)) LIMIT 1`,
      [namespace, selfAndAbove(path).map((inside) => uriOf(bucket, namespace, inside))],
    );
    return served;
  },

  async keptBy(namespace, bucket, path) {
    const [kept] = await query<{ model: string; version: number; service: string | null }>(
      on,
      `SELECT v.model, v.version, u.service FROM slipway.model_versions v
         LEFT JOIN slipway.version_uses u USING (namespace, model, version)
         WHERE v.namespace = $1 AND (u.service IS NOT NULL OR v.status IN ('READY', 'PENDING_REGISTRATION'))
           AND (v.source_uri = ANY ($2) OR v.source_uri LIKE $3 OR v.artifact_uri = ANY ($2) OR v.artifact_uri LIKE $3)
         ORDER BY u.service IS NULL, v.model, v.version LIMIT 1`,
      [
        namespace,
        selfAndAbove(path).map((inside) => uriOf(bucket, namespace, inside)),
        likeBelow(uriOf(bucket, namespace, path)),
      ],
    );
    return kept && ({ ...kept, service: kept.service ?? undefined } satisfies KeptBy);
  },
});
