/** The prediction by which the server behind shows that it has loaded this model: what the version's folder has as example. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLES_FILE, type RuntimeProtocol } from '@slipway/contract';
import { readExamples } from '../model/files.ts';
import { type Server, say } from './say.ts';

/** The request that MLflow keeps beside a model that was logged with an input example. */
const SERVING_EXAMPLE = 'serving_input_example.json';
const MAX_BYTES = 4 * 1024 * 1024;
const PATIENCE_MS = 60_000;
/** Of what the server says. */
const MAX_WORDS = 400;

export interface Proof {
  readonly path: string;
  readonly body: string;
}

/**
 * What is to be asked; undefined where the folder has no example, or where a protocol leaves open in which form this model
 * takes its rows (V1 and V2: a server of those is believed when it says that it is ready).
 */
export async function proofFor(protocol: RuntimeProtocol, modelDir: string): Promise<Proof | undefined> {
  if (protocol !== 'mlflow') return undefined;
  const body = (await servingExample(modelDir)) ?? (await trainersExample(modelDir));
  return body === undefined ? undefined : { path: '/invocations', body };
}

async function servingExample(modelDir: string): Promise<string | undefined> {
  const path = join(modelDir, SERVING_EXAMPLE);
  return (await isSmall(path)) ? readFile(path, 'utf8') : undefined;
}

/** The folder is anybody's: what is too large to be an example is none. */
const isSmall = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile() && found.size <= MAX_BYTES,
    () => false,
  );

/** What trainers of ours leave, which is judged elsewhere: one that cannot be read counts as none. */
async function trainersExample(modelDir: string): Promise<string | undefined> {
  if (!(await isSmall(join(modelDir, EXAMPLES_FILE)))) return undefined;
  const examples = await readExamples(modelDir).catch(() => undefined);
  const [row] = examples?.inputs ?? [];
  return row && JSON.stringify({ dataframe_records: [row] });
}

/** Why the server does not predict; undefined when it does. `passes`: to ask again may help. Never throws. */
export async function prove(server: Server, { path, body }: Proof): Promise<Fault | undefined> {
  try {
    const heard = await say(server, { method: 'POST', path, body, patienceMs: PATIENCE_MS });
    if (heard.status === 200) return undefined;
    const words = heard.body.trim().slice(0, MAX_WORDS);
    const message = `the version's own example was answered with ${heard.status} at ${path}: ${words}`;
    return { message, passes: heard.status === 429 || heard.status === 503 };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { message: `the version's own example was not answered at ${path} (${code ?? message})`, passes: true };
  }
}

export interface Fault {
  readonly message: string;
  readonly passes: boolean;
}
