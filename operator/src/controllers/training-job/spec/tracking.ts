import { z } from 'zod';
import { cel } from '../../../api/fields.ts';

/** Where a run is tracked. */
export const Tracking = z
  .object({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        'false: no parameters, metrics or artifacts are kept for MLflow; versions are registered all the same.',
      ),
    uri: z
      .string()
      .max(1024)
      .regex(/^https?:\/\/[^@\s]+$/)
      .exactOptional()
      .describe(
        'An MLflow server elsewhere that is told of the run too. It must be reachable from the pods of this namespace.',
      ),
  })
  .meta(
    cel({ rule: 'self.enabled || !has(self.uri)', message: 'tracking.uri needs tracking.enabled', fieldPath: '.uri' }),
  );
