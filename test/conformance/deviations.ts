/** Where our registry answers differently from the real server on purpose; docs/mlflow-deviations.md explains each by its id. */
import type { Deviation } from './compare.ts';

export const deviations: readonly Deviation[] = [
  {
    id: 'no-sqlstate',
    scenarios: /^wire: every field of a refusal$/,
    fields: /^result\.(sqlstate|error_class)$/,
    reason: 'Error bodies carry error_code and message; no client reads the two internal fields beside them.',
  },
];
