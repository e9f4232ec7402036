/** `kit prepare` and `kit check`: a trainer tried out with Docker alone. Speaks to a person: plain lines, not JSON. */
import { writeSync } from 'node:fs';
import { INPUT_DIR, OUTPUT_DIR } from '@slipway/contract';
import { asFailure, FailureError, quoted } from '../failure.ts';
import { check, tableOf } from './check.ts';
import { parametersFrom, prepare } from './prepare.ts';

const USAGE = `usage: kit prepare [NAME=VALUE…]   empties ${INPUT_DIR} and ${OUTPUT_DIR}, writes the inputs, prints the environment
       kit check [EXIT CODE]       reads ${OUTPUT_DIR} as publish does; EXIT CODE is the trainer's (default 0)
`;

function exitCodeFrom(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new FailureError('InvalidConfiguration', `exit code ${quoted(text)}: expected a number from 0 to 255`);
}

async function answer([verb, ...words]: readonly string[], env: NodeJS.ProcessEnv): Promise<[string, boolean]> {
  const [inputDir, outputDir] = [env['INPUT_DIR'] ?? INPUT_DIR, env['OUTPUT_DIR'] ?? OUTPUT_DIR];
  if (verb === 'prepare') {
    const [dataDir, builtinDir] = [env['DATA_DIR'] ?? '/data', env['BUILTIN_DATA_DIR'] ?? '/app/data'];
    const made = await prepare(parametersFrom(words), { inputDir, outputDir, dataDir, builtinDir });
    const lines = Object.entries(made).map(([name, value]) => `${name}=${value}\n`);
    return [lines.join(''), true];
  }
  if (verb === 'check') {
    const findings = await check({ inputDir, outputDir, exitCode: exitCodeFrom(words[0] ?? '0') });
    return [tableOf(findings), findings.every(({ verdict }) => verdict !== 'wrong')];
  }
  return [USAGE, false];
}

/** Prints, and resolves with the code to exit with: 0 when all is well, 1 when something is wrong. */
export async function runKit(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  try {
    const [text, isWell] = await answer(words, env);
    writeSync(1, text);
    return isWell ? 0 : 1;
  } catch (error) {
    const { reason, message, cause } = asFailure(error);
    writeSync(2, `${reason}: ${message}\n${reason === 'InternalError' ? String(cause) : ''}`);
    return 1;
  }
}
