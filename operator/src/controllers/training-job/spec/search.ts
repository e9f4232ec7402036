/** Many trials instead of one run. */
import { z } from 'zod';
import { atomic, cel } from '../../../api/fields.ts';
import { Decimal, MetricName } from './decimal.ts';

const Space = z
  .object({
    values: z.array(z.string().max(128)).min(1).max(64).exactOptional().meta(atomic).describe('Try these.'),
    min: Decimal.exactOptional().describe('With method random: draw from here …'),
    max: Decimal.exactOptional().describe('… to here, both included.'),
    scale: z.enum(['linear', 'log']).exactOptional().describe('How the range is drawn from. Default: linear.'),
    integer: z.boolean().exactOptional().describe('Draw whole numbers.'),
  })
  .meta(
    cel({
      rule: 'has(self.values) != (has(self.min) && has(self.max)) && has(self.min) == has(self.max)',
      message: 'set values, or min and max',
    }),
  );

export const Search = z
  .object({
    method: z.enum(['grid', 'random']).describe('Every combination, or combinations drawn by chance.'),
    space: z
      .record(z.string().max(128), Space)
      .meta({ minProperties: 1, maxProperties: 16 })
      .describe('What is tried, by parameter name; the other parameters are as in spec.parameters.'),
    maxTrials: z.int().min(1).max(500).default(20).describe('At most so many trials. A larger grid is refused.'),
    parallelism: z.int().min(1).max(50).default(1).describe('How many trials run at the same time.'),
    seed: z
      .int()
      .min(0)
      .max(4294967295)
      .default(42)
      .describe('With method random: the same seed draws the same trials.'),
    objective: z
      .object({
        metric: MetricName.describe('The metric that decides, like validation_accuracy.'),
        goal: z.enum(['maximize', 'minimize']).describe('Which end of it is good.'),
      })
      .describe('Which trial is the best.'),
  })
  .meta(
    cel({
      rule: "self.method == 'random' || self.space.all(name, has(self.space[name].values))",
      message: 'method grid needs values for every parameter of the space; a range is for method random',
      fieldPath: '.space',
    }),
  );
export type Search = z.infer<typeof Search>;
