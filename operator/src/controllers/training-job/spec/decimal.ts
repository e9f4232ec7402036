import { z } from 'zod';

/** A decimal number as a string: objects hold no floats. */
export const Decimal = z
  .string()
  .max(32)
  .regex(/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$/);

/** The name of a metric as tracking clients accept it. */
export const MetricName = z.string().min(1).max(250);
