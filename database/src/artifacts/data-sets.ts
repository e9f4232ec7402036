import { type Queryable, query } from '../pool.ts';
import type { DataSet, DataSets } from './types.ts';

const columns = `name, upload, size, sha256, content_type AS "contentType", stored_time AS "storedTime"`;

type DataSetRow = Omit<DataSet, 'size' | 'storedTime'> & { size: string; storedTime: Date };
const dataSetFrom = (row: DataSetRow): DataSet => ({
  ...row,
  size: Number(row.size),
  storedTime: row.storedTime.getTime(),
});

/** Data sets, over one pool. */
export const dataSets = (on: Queryable): DataSets => ({
  async add(namespace, { name, upload, size, sha256, contentType }) {
    const [row] = await query<{ added: boolean }>(on, 'SELECT slipway.add_data_set($1, $2, $3, $4, $5, $6) AS added', [
      namespace,
      name,
      upload,
      size,
      sha256,
      contentType,
    ]);
    return row?.added === true;
  },

  async find(namespace, name, sha256) {
    const [row] = await query<DataSetRow>(
      on,
      `SELECT ${columns} FROM slipway.data_sets
         WHERE namespace = $1 AND name = $2 AND ($3::text IS NULL OR sha256 = $3)
         ORDER BY stored_time DESC, upload LIMIT 1`,
      [namespace, name, sha256 ?? null],
    );
    return row && dataSetFrom(row);
  },

  async list(namespace, { limit, after = '' }) {
    const rows = await query<DataSetRow>(
      on,
      `SELECT * FROM (
         SELECT DISTINCT ON (name COLLATE "C") ${columns} FROM slipway.data_sets
           WHERE namespace = $1 AND name COLLATE "C" > $2
           ORDER BY name COLLATE "C", stored_time DESC, upload) AS newest
         ORDER BY name COLLATE "C" LIMIT $3`,
      [namespace, after, limit],
    );
    return rows.map(dataSetFrom);
  },

  async remove(namespace, name) {
    const rows = await query<DataSetRow>(
      on,
      `DELETE FROM slipway.data_sets WHERE namespace = $1 AND name = $2 RETURNING ${columns}`,
      [namespace, name],
    );
    return rows.map(dataSetFrom);
  },
});
