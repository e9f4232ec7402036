/** The words behind `slipway-trainer train`, read. */
import { parseArgs } from 'node:util';
import { ALGORITHM_NAMES, type Algorithm, FeatureType, parameterRules, Task } from '@slipway/contract';
import { quoted } from '../failure.ts';

/** The command was not written as it must be. The message is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Command {
  readonly algorithm: Algorithm;
  readonly parameters: Readonly<Record<string, string>>;
  readonly input: string;
  readonly output: string;
}

const options = {
  algorithm: { type: 'string' },
  target: { type: 'string' },
  input: { type: 'string' },
  output: { type: 'string' },
  features: { type: 'string', multiple: true },
  'feature-type': { type: 'string', multiple: true },
  task: { type: 'string' },
  param: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const;

function parametersHelp(): string {
  return ALGORITHM_NAMES.map((name) => {
    const rules = Object.entries(parameterRules(name));
    const lines = rules.map(([parameter, rule]) => `    ${parameter}=${rule.default}  (${rule.expected})`);
    return `  ${name}\n${lines.join('\n')}\n`;
  }).join('');
}

/** What `--help` prints. */
export const help =
  (): string => `Trains a model from a CSV or Parquet file and writes it as ONNX, with what describes it.

usage: slipway-trainer train --algorithm NAME --target COLUMN --input FILE --output FOLDER [options]

  --algorithm NAME            ${ALGORITHM_NAMES.join(', ')}
  --target COLUMN             what is to be predicted
  --input FILE                CSV (RFC 4180, UTF-8, with a header) or Parquet
  --output FOLDER             is made when it is not there
  --features A,B              the columns to learn from; every other column by default; may be repeated
  --feature-type COLUMN=TYPE  number or category; by default a number when every cell is one; may be repeated
  --task TASK                 classification or regression; by default what algorithm and target say
  --param NAME=VALUE          a hyperparameter, see below; may be repeated
  --help

An empty cell, NA, NaN, nan, null, None and ? are missing values.
Exit codes: 0 trained, 64 the command is wrong, 65 the data or a parameter is wrong, 1 anything else.

parameters and their defaults
${parametersHelp()}`;

function pair(option: string, text: string, at: number): readonly [string, string] {
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError(`--${option}: expected NAME=VALUE, got ${quoted(text)}`);
}

function required(values: Readonly<Record<string, unknown>>, name: string): string {
  const value = values[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new UsageError(`--${name} is missing`);
}

function featureTypes(texts: readonly string[]): Record<string, FeatureType> {
  return Object.fromEntries(
    texts.map((text) => {
      // A column's name may hold the sign, a type does not.
      const [name, type] = pair('feature-type', text, text.lastIndexOf('='));
      const read = FeatureType.safeParse(type);
      if (!read.success)
        throw new UsageError(`--feature-type ${name}: expected number or category, got ${quoted(type)}`);
      return [name, read.data];
    }),
  );
}

function taskFrom(text: string): Task {
  const read = Task.safeParse(text);
  if (read.success) return read.data;
  throw new UsageError(`--task: expected classification or regression, got ${quoted(text)}`);
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0] as string);
  }
}

/** Undefined: help is asked for. Throws UsageError. Names and values of parameters are checked elsewhere. */
export function commandFrom(words: readonly string[]): Command | undefined {
  const values = parsed(words);
  if (values.help) return undefined;
  const { features, task, param = [] } = values;
  const types = values['feature-type'];
  return {
    algorithm: {
      name: required(values, 'algorithm'),
      target: required(values, 'target'),
      ...(features && { features: features.flatMap((names) => names.split(',')).map((name) => name.trim()) }),
      ...(types && { featureTypes: featureTypes(types) }),
      ...(task !== undefined && { task: taskFrom(task) }),
    },
    parameters: Object.fromEntries(param.map((text) => pair('param', text, text.indexOf('=')))),
    input: required(values, 'input'),
    output: required(values, 'output'),
  };
}
