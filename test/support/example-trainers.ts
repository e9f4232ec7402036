/** The images of examples/trainers, built from their own Dockerfiles. */
import { buildImage, type Engine, findEngine } from '../cluster/docker.ts';
import { pathsFor } from '../cluster/paths.ts';
import { MLFLOW_TRAINER_IMAGE, mlflowTrainerImage } from './mlflow-trainer.ts';
import { run } from './run.ts';

const DEBIAN = 'slipway/debian-base:bookworm';

/**
 * What each stands on where no image registry can be reached: a shell; a Python that has the packages of every
 * requirements.txt already, so that `pip install` finds nothing to do.
 */
const BASES = {
  shell: DEBIAN,
  'sklearn-mlflow': MLFLOW_TRAINER_IMAGE,
  'onnx-python': MLFLOW_TRAINER_IMAGE,
} as const;
export type ExampleTrainer = keyof typeof BASES;
export const EXAMPLE_TRAINERS = Object.keys(BASES) as ExampleTrainer[];

/** The image's name, as in the example's TrainingJob. */
export const exampleImage = (name: ExampleTrainer): string => `slipway/example-${name}:dev`;

async function engineInUse(): Promise<Engine> {
  const engine = await findEngine(pathsFor(process.env));
  if (!engine) throw new Error('no Docker Engine answers: make cluster-up starts one');
  return engine;
}

/** Builds the image of `folder` on `base`; Docker's cache keeps what did not change. */
export async function buildOn(base: string, name: string, folder: string): Promise<string> {
  if (base === MLFLOW_TRAINER_IMAGE) await mlflowTrainerImage();
  await buildImage(await engineInUse(), name, folder, ['--build-arg', `BASE_IMAGE=${base}`]);
  return name;
}

/** Builds one of the examples and returns its image's name. */
export const buildExample = (name: ExampleTrainer): Promise<string> =>
  buildOn(BASES[name], exampleImage(name), `examples/trainers/${name}`);

/** Builds them all and gives them to the cluster. */
export async function loadExamples(): Promise<void> {
  for (const name of EXAMPLE_TRAINERS) await buildExample(name);
  run(process.execPath, ['test/cluster/cli.ts', 'load', ...EXAMPLE_TRAINERS.map(exampleImage)], { timeoutMs: 600_000 });
}
