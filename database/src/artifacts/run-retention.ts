/** Which runs retention may give up: the statement behind GarbageRows.retirableRuns. */

const isOpen = (run: string): string => `${run}.status IN ('RUNNING', 'SCHEDULED')`;
const isParent = "t.key = 'mlflow.parentRunId'";

/** True of the run `r` of the surrounding statement when it has ended and nobody needs it. */
export const isFree = `r.lifecycle_stage = 'active' AND NOT ${isOpen('r')}
  AND NOT EXISTS (SELECT FROM slipway.model_versions v
    WHERE v.namespace = r.namespace AND v.run_id = r.run_id AND v.status <> 'DELETED')
  AND NOT EXISTS (SELECT FROM slipway.model_versions v
    WHERE v.namespace = r.namespace AND v.model = r.model AND v.version = r.version AND v.status <> 'DELETED')
  AND NOT EXISTS (SELECT FROM slipway.logged_models l
    JOIN slipway.model_versions v ON v.namespace = l.namespace AND v.logged_model_id = l.model_id AND v.status <> 'DELETED'
    WHERE l.namespace = r.namespace AND l.source_run_id = r.run_id)
  AND NOT EXISTS (SELECT FROM slipway.tags t JOIN slipway.runs p ON p.namespace = t.namespace AND p.run_id = t.value
    WHERE t.namespace = r.namespace AND t.run_id = r.run_id AND ${isParent} AND ${isOpen('p')})
  AND NOT EXISTS (SELECT FROM slipway.runs p
    WHERE p.namespace = r.namespace AND p.run_key = r.parent_run_key AND ${isOpen('p')})
  AND NOT EXISTS (SELECT FROM slipway.tags t JOIN slipway.runs c ON c.namespace = t.namespace AND c.run_id = t.run_id
    WHERE t.namespace = r.namespace AND ${isParent} AND md5(t.value) = md5(r.run_id) AND t.value = r.run_id AND ${isOpen('c')})`;

/**
 * Free runs of the namespace $1 that ended before $3, and whose place among the runs of their experiment, newest first, is
 * beyond $2. A run inside another has the place of the outermost; runs that name each other in a circle have none and stay.
 */
export const retirableRuns = `WITH RECURSIVE live AS MATERIALIZED (
    SELECT r.run_id, r.experiment_id, r.is_tracked, r.start_time, (SELECT t.value FROM slipway.tags t
        WHERE t.namespace = r.namespace AND t.run_id = r.run_id AND ${isParent}) AS parent
      FROM slipway.runs r WHERE r.namespace = $1 AND r.lifecycle_stage = 'active'
  ), tree (run_id, root) AS (
    SELECT l.run_id, l.run_id FROM live l LEFT JOIN live p ON p.run_id = l.parent WHERE p.run_id IS NULL
    UNION ALL SELECT l.run_id, t.root FROM tree t JOIN live l ON l.parent = t.run_id
  ), placed AS (
    SELECT l.run_id, row_number() OVER (PARTITION BY l.experiment_id, l.is_tracked ORDER BY l.start_time DESC, l.run_id) AS place
      FROM live l JOIN tree t ON t.run_id = l.run_id AND t.root = l.run_id
  )
  SELECT r.run_id AS id FROM placed o JOIN tree t ON t.root = o.run_id
    JOIN slipway.runs r ON r.namespace = $1 AND r.run_id = t.run_id
    WHERE o.place > $2 AND coalesce(r.end_time, r.start_time) < $3 AND ${isFree} ORDER BY r.run_id`;
