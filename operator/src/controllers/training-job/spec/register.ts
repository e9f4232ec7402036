/** What becomes of the version: gates, stage, aliases, tags. */
import { z } from 'zod';
import { ALIAS, atomic, cel, VersionSelector } from '../../../api/fields.ts';
import { Decimal, MetricName } from './decimal.ts';

const Gate = z
  .object({
    metric: MetricName.describe('A metric of the run, like accuracy, validation_f1_macro or rmse.'),
    min: Decimal.exactOptional().describe('It must be at least this.'),
    max: Decimal.exactOptional().describe('It must be at most this.'),
    notWorseThan: z
      .object({
        version: VersionSelector.describe(
          'The version to compare with: a stage (Production), "@alias", a number or latest.',
        ),
        by: Decimal.default('0').describe('How much worse it may be.'),
      })
      .exactOptional()
      .describe(
        'It must not be worse than this version, both asked about the same held-out rows. Passes while there is no such version.',
      ),
  })
  .meta(
    cel({
      rule: '[has(self.min), has(self.max), has(self.notWorseThan)].exists_one(set, set)',
      message: 'set exactly one of min, max and notWorseThan',
    }),
  );

export const Register = z.object({
  stage: z
    .enum(['Staging', 'Production'])
    .exactOptional()
    .describe('Stage of the version when its gates pass. Whoever had it is archived.'),
  aliases: z
    .array(z.string().max(128).regex(ALIAS))
    .max(16)
    .exactOptional()
    .meta({ 'x-kubernetes-list-type': 'set' })
    .describe('Aliases of the version when its gates pass; taken from whoever had them.'),
  tags: z
    .record(z.string().max(250), z.string().max(5000))
    .exactOptional()
    .meta({ maxProperties: 32 })
    .describe('Tags of the version.'),
  gate: z
    .array(Gate)
    .max(16)
    .exactOptional()
    .meta(atomic)
    .describe(
      'What the version must meet. One that does not is kept, gets neither stage nor alias, and is never latest.',
    ),
});
export type Register = z.infer<typeof Register>;
