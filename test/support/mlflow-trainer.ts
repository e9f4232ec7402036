/** A trainer image with Python, mlflow and scikit-learn, built once and given to the cluster. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { buildImage, findEngine, imageId, labelOf } from '../cluster/docker.ts';
import { pathsFor } from '../cluster/paths.ts';
import { rootFileSystem } from '../cluster/root-file-system.ts';
import { run } from './run.ts';

export const MLFLOW_TRAINER_IMAGE = 'slipway/test-mlflow-trainer:dev';

const folder = 'test/images/mlflow-trainer';
const LABEL = 'dev.slipway.inputs';
const minutes = 60_000;

/** Debian's Python 3.11, and nothing that mlflow brings itself. */
const python = { name: 'python', packages: ['python3', 'ca-certificates'], setup: [] };

/** Wheels for that Python, whatever Python this machine has; kept in the cache by the digest of the requirements. */
async function sitePackages(cache: string, requirements: string, digest: string): Promise<string> {
  const site = `${cache}/mlflow-trainer-${digest}`;
  if (existsSync(site)) return site;
  const partial = await mkdtemp(`${cache}/.mlflow-trainer-`);
  const platform = ['--python-version', '3.11', '--implementation', 'cp', '--only-binary', ':all:'];
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const wheels = ['manylinux2014', 'manylinux_2_17', 'manylinux_2_27', 'manylinux_2_28'].flatMap((name) => [
    '--platform',
    `${name}_${architecture}`,
  ]);
  const options = ['--quiet', '--no-compile', ...platform, ...wheels, '--target', partial, '-r', requirements];
  run('python3', ['-m', 'pip', 'install', ...options], { timeoutMs: 10 * minutes });
  await rename(partial, site);
  return site;
}

/** The image's name, once the cluster has it. Takes about two minutes the first time. */
export async function mlflowTrainerImage(): Promise<string> {
  const paths = pathsFor(process.env);
  const engine = await findEngine(paths);
  if (!engine) throw new Error('no Docker Engine answers: make cluster-up starts one');
  const requirements = `${folder}/requirements.txt`;
  const inputs = [
    await readFile(requirements, 'utf8'),
    await readFile(`${folder}/Dockerfile`, 'utf8'),
    JSON.stringify(python),
  ];
  const digest = createHash('sha256').update(inputs.join('\n')).digest('hex').slice(0, 12);
  if ((await labelOf(engine, MLFLOW_TRAINER_IMAGE, LABEL)) !== digest) {
    const context = await mkdtemp(`${paths.images}/.context-`);
    try {
      await mkdir(`${context}/site`);
      const site = await sitePackages(paths.images, requirements, digest);
      run('cp', ['-rl', `${site}/.`, `${context}/site/`]);
      await cp(await rootFileSystem(paths, python), `${context}/rootfs.tar`);
      await cp(`${folder}/Dockerfile`, `${context}/Dockerfile`);
      await buildImage(engine, MLFLOW_TRAINER_IMAGE, context, ['--label', `${LABEL}=${digest}`]);
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  }
  if (!(await imageId(engine, MLFLOW_TRAINER_IMAGE))) throw new Error(`${MLFLOW_TRAINER_IMAGE} was not built`);
  run(process.execPath, ['test/cluster/cli.ts', 'load', MLFLOW_TRAINER_IMAGE], { timeoutMs: 10 * minutes });
  return MLFLOW_TRAINER_IMAGE;
}
