/** spec.predictionLog: the line that is written for every prediction, and where it is kept. */
import { z } from 'zod';
import { atomic, cel, together } from '../../../api/fields.ts';

/** Each may take six bytes of the variable in which the pods get their settings, and there are two such lists. */
export const MOST_NAME_CHARACTERS = 6_144;

const Features = z
  .array(z.string().min(1).max(256))
  .max(128)
  .meta({ ...atomic, ...cel(together(MOST_NAME_CHARACTERS, 'the names of the features')) });

const Retention = z
  .string()
  .max(8)
  .meta(
    cel({
      rule: "self.matches('^([1-9][0-9]{0,3}d|[1-9][0-9]{0,4}h)$')",
      message: 'retention is a number of days or hours, like 30d or 12h',
    }),
  );

const HOUR_SECONDS = 3600;

/** The seconds of `30d` or `12h`. */
export const retentionSeconds = (retention: string): number =>
  Number(retention.slice(0, -1)) * (retention.endsWith('d') ? 24 * HOUR_SECONDS : HOUR_SECONDS);

export const PredictionLog = z
  .object({
    enabled: z.boolean().default(true).describe('false: no line is written.'),
    sample: z
      .string()
      .max(16)
      .default('1')
      .meta(
        cel({
          rule: "self.matches('^(0|1|1[.]0*|0?[.][0-9]{1,9})$')",
          message: 'sample is a decimal from 0 to 1 in quotes, like "0.1"',
        }),
      )
      .describe(
        'The share of predictions that get a line, a decimal from 0 to 1 in quotes. Requests that are refused always get one, up to a hundred a second.',
      ),
    redact: Features.exactOptional().describe(
      'Features that are left out of every line, with their statistics. A name the model does not have is told in the log of its pods.',
    ),
    hash: Features.exactOptional().describe(
      'Features of which lines hold a digest (HMAC-SHA256 under a key of the namespace) and no statistics: equal values stay equal, over pods and services. A name the model does not have is told in the log of its pods.',
    ),
    store: z
      .object({
        retention: Retention.default('30d').describe('How long lines are kept: days or hours, like 30d or 12h.'),
      })
      .exactOptional()
      .describe(
        'Keeps the lines in the object storage as well, below <namespace>/predictions/<service>/<day>/, brought there by a container beside the server. Setting or removing it rolls the pods.',
      ),
  })
  .meta(
    cel(
      {
        rule: '!has(self.store) || self.enabled',
        message: 'store keeps the lines that are written: set enabled to true, or remove store',
      },
      {
        rule: '!has(self.redact) || !has(self.hash) || self.redact.all(name, !(name in self.hash))',
        message: 'a feature is either left out (redact) or digested (hash): name it in one of the two',
      },
    ),
  );
export type PredictionLog = z.infer<typeof PredictionLog>;
