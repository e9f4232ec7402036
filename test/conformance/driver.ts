/** Runs the scenarios of python/scenarios with one client against one server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onLeaving } from './leaving.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What one scenario came to. `expected`: what must come out where the real server cannot be asked. */
export interface Scenario {
  readonly category: string;
  readonly name: string;
  readonly outcome: Json;
  readonly expected?: Json;
  readonly seconds: number;
}

export interface DriverRun {
  readonly python: string;
  readonly uri: string;
  /** Part of every name that is made: two clients may use one server. */
  readonly label: string;
  /** Only scenarios whose `category: name` matches. */
  readonly only?: string;
  readonly ours: boolean;
}

const script = join(import.meta.dirname, 'python', 'driver.py');

/** Every scenario's outcome in the order of the table. Throws when the driver itself fails. */
export async function drive({ python, uri, label, only, ours }: DriverRun): Promise<readonly Scenario[]> {
  const args = [script, '--uri', uri, '--label', label, ...(only ? ['--only', only] : []), ...(ours ? ['--ours'] : [])];
  const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stays = onLeaving(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-8000);
  });
  const closed = once(child, 'close');
  const outcomes: Scenario[] = [];
  for await (const line of createInterface({ input: child.stdout })) outcomes.push(JSON.parse(line) as Scenario);
  const [status] = await closed;
  stays();
  if (status !== 0) throw new Error(`the driver ended with ${status} after ${outcomes.length} scenarios: ${said}`);
  return outcomes;
}
