/** The models every server is given: trained and exported once, kept outside the checkout. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../test/cluster/exec.ts';
import { pythonWith } from '../../test/conformance/venv.ts';

export const MODELS = ['lr', 'rf100', 'rf500'] as const;
export type ModelName = (typeof MODELS)[number];

/** As people know them. */
export const MODEL_LABELS: Readonly<Record<ModelName, string>> = {
  lr: 'logistic regression, 4 features',
  rf100: 'forest of 100 trees, depth 6, 4 features',
  rf500: 'forest of 500 trees, depth 10, 30 features',
};

const Facts = z.object({
  features: z.array(z.string()),
  labels: z.array(z.string()),
  rows: z.array(z.array(z.number())),
  /** What the estimator says of each row. */
  classes: z.array(z.number()),
  outputs: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
});
export type Facts = z.infer<typeof Facts>;

export interface Model {
  readonly name: ModelName;
  /** Holds model.joblib, model.onnx and facts.json. */
  readonly folder: string;
  readonly facts: Facts;
}

export const requirementsOf = (name: string): string => join(import.meta.dirname, `requirements-${name}.txt`);

/** A minute the first time, nothing afterwards. */
export async function ensureModels(): Promise<Readonly<Record<ModelName, Model>>> {
  const requirements = requirementsOf('fastapi');
  const script = join(import.meta.dirname, 'make_models.py');
  const made = createHash('sha256').update(readFileSync(requirements)).update(readFileSync(script)).digest('hex');
  const home = join(cacheFolder(), `bench-models-${made.slice(0, 12)}`);
  if (!existsSync(home)) {
    console.log('# training the models (a minute, once)');
    const part = `${home}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part, { recursive: true });
    await run(await pythonWith(requirements), [script, part]);
    renameSync(part, home);
  }
  const models = MODELS.map((name) => {
    const folder = join(home, name);
    return { name, folder, facts: Facts.parse(JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'))) };
  });
  return Object.fromEntries(models.map((model) => [model.name, model])) as unknown as Record<ModelName, Model>;
}

/** Where Slipway keeps what is made once. */
export const cacheFolder = (): string => process.env['SLIPWAY_CACHE'] ?? join(homedir(), '.cache', 'slipway');
