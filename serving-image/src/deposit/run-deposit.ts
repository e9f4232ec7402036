import { CREDENTIALS_DIR, DERIVED_DIR, type DepositReport, DerivedTarget } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import { z } from 'zod';
import { FailureError } from '../failure.ts';
import { readCredentials } from '../fetch/credentials.ts';
import type { Logger } from '../log.ts';
import { deposit } from './deposit.ts';

const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
});

const DepositEnv = z.object({
  DERIVED_ARTIFACT: Json.pipe(DerivedTarget),
  DERIVED_DIR: z.string().min(1).default(DERIVED_DIR),
  CREDENTIALS_DIR: z.string().min(1).default(CREDENTIALS_DIR),
});
export type DepositConfig = z.infer<typeof DepositEnv>;

/** Longer than any healthy store takes to answer. */
const STORE_TIMEOUT_MS = 15_000;

/** Throws FailureError(InvalidConfiguration) naming the variable that is wrong. */
export function depositConfig(env: Readonly<Record<string, string | undefined>>): DepositConfig {
  const parsed = DepositEnv.safeParse(env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError('InvalidConfiguration', `environment variable ${issue?.path.join('.')}: ${issue?.message}`);
}

/** `deposit` with the real store. */
export async function runDeposit(config: DepositConfig, log: Logger): Promise<DepositReport> {
  const access = await readCredentials(config.CREDENTIALS_DIR);
  const store = openObjectStore(access, { timeoutMs: STORE_TIMEOUT_MS });
  return deposit({ target: config.DERIVED_ARTIFACT, dir: config.DERIVED_DIR, store, log });
}
