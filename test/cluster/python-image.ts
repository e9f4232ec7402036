/**
 * The converter's image: Python, the converter's packages, and the libraries models are made with, side by side. Built from
 * unpacked wheels, because a machine that builds it may reach a package index only and no image registry.
 * `node test/cluster/python-image.ts` builds it.
 */
import { copyFile, cp, link, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rememberedChoice } from './cluster.ts';
import { buildImage, type Engine, findEngine, labelOf } from './docker.ts';
import { run } from './exec.ts';
import { digestOf, digestOfFolder, exists } from './files.ts';
import { type Paths, pathsFor } from './paths.ts';
import { step } from './progress.ts';
import { type RootFileSystem, rootFileSystem } from './root-file-system.ts';

export const CONVERTER_IMAGE = 'slipway/converter:dev';

const PYTHON_BASE = 'slipway/python-base:3.11-slim-bookworm';
const LABEL = 'dev.slipway.inputs';
const MINUTES = 60_000;

const folder = fileURLToPath(new URL('../../converter-image', import.meta.url));

/** Debian's Python 3.11, and the one library that wheels expect of the system. */
const python: RootFileSystem = { name: 'python-base', packages: ['python3', 'ca-certificates', 'libgomp1'], setup: [] };

/** What only tests of a package need. */
const LEFT_OUT = ['tests', '__pycache__'];

async function withoutTests(site: string): Promise<void> {
  const entries = await readdir(site, { recursive: true, withFileTypes: true });
  const found = entries.filter((entry) => entry.isDirectory() && LEFT_OUT.includes(entry.name));
  for (const entry of found) await rm(`${entry.parentPath}/${entry.name}`, { recursive: true, force: true });
  await rm(`${site}/onnx/backend/test/data`, { recursive: true, force: true });
}

/** Wheels for Python 3.11 on Linux, whatever this machine has, unpacked into `target`. */
async function unpack(target: string, packages: readonly string[]): Promise<void> {
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const wheels = ['manylinux2014', 'manylinux_2_17', 'manylinux_2_27', 'manylinux_2_28'].flatMap((name) => [
    '--platform',
    `${name}_${architecture}`,
  ]);
  const which = ['--python-version', '3.11', '--implementation', 'cp', '--only-binary', ':all:', ...wheels];
  const how = ['--quiet', '--disable-pip-version-check', '--no-compile', '--no-deps', '--target', target];
  await run('python3', ['-m', 'pip', 'install', ...how, ...which, ...packages], { timeoutMs: 10 * MINUTES });
  await withoutTests(target);
}

/** The lines of a requirements file that name a package. */
export function packagesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Where a library's version goes: the name models know it by, whatever its wheel is called. */
export function placeOf(library: string): string {
  const [name, version, ...more] = library.split('==');
  if (name === undefined || version === undefined || more.length > 0) {
    throw new Error(`libraries.txt has ${JSON.stringify(library)}; expected name==version`);
  }
  return `${name.replace(/-cpu$/, '')}/${version}`;
}

async function madeOnce(paths: Paths, name: string, make: (partial: string) => Promise<void>): Promise<string> {
  const place = `${paths.images}/${name}`;
  if (await exists(place)) return place;
  await mkdir(paths.images, { recursive: true });
  const partial = await mkdtemp(`${paths.images}/.partial-`);
  await step(`converter: ${name}`, () => make(partial), 'once, from wheels');
  await rename(partial, place);
  return place;
}

/** The converter's own packages and the libraries beside them, as folders; kept in the cache by what the two files say. */
export async function converterFolders(paths: Paths): Promise<{ site: string; libraries: string }> {
  const requirements = packagesIn(await readFile(`${folder}/requirements.txt`, 'utf8'));
  const libraries = packagesIn(await readFile(`${folder}/libraries.txt`, 'utf8'));
  const site = await madeOnce(paths, `converter-site-${digestOf(...requirements)}`, (partial) =>
    unpack(partial, requirements),
  );
  const beside = await madeOnce(paths, `converter-libraries-${digestOf(...libraries)}`, async (partial) => {
    for (const library of libraries) await unpack(`${partial}/${placeOf(library)}`, [library]);
  });
  return { site, libraries: beside };
}

/** The image to build on: a given one, one of Debian packages on the local cluster's machine, else the public one. */
async function baseImage(paths: Paths, engine: Engine): Promise<readonly string[]> {
  const given = process.env['PYTHON_BASE_IMAGE'];
  if (given) return ['--build-arg', `BASE_IMAGE=${given}`];
  if ((await rememberedChoice(paths))?.kind !== 'local') return [];
  const dockerfile = fileURLToPath(new URL('images/python-base/Dockerfile', import.meta.url));
  const inputs = digestOf(JSON.stringify(python), await readFile(dockerfile, 'utf8'));
  if ((await labelOf(engine, PYTHON_BASE, LABEL)) !== inputs) {
    await inContext(paths, async (context) => {
      await put(await rootFileSystem(paths, python), `${context}/rootfs.tar`);
      await copyFile(dockerfile, `${context}/Dockerfile`);
      await buildImage(engine, PYTHON_BASE, context, ['--label', `${LABEL}=${inputs}`]);
    });
  }
  return ['--build-arg', `BASE_IMAGE=${PYTHON_BASE}`];
}

async function inContext(paths: Paths, work: (context: string) => Promise<void>): Promise<void> {
  const context = await mkdtemp(`${paths.images}/.context-`);
  try {
    await work(context);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

async function put(from: string, to: string): Promise<void> {
  // A link costs nothing; it cannot cross file systems.
  await link(from, to).catch(() => copyFile(from, to));
}

/**
 * Builds the image unless what goes into it is what the present one was made of; gives its name. The first time takes some
 * minutes, most of them for wheels.
 */
export async function buildConverterImage(name: string = CONVERTER_IMAGE): Promise<string> {
  const paths = pathsFor(process.env);
  const engine = await findEngine(paths);
  if (!engine) throw new Error('no Docker Engine answers: make cluster-up starts one');
  const base = await baseImage(paths, engine);
  const inputs = digestOf(...base, await digestOfFolder(`${folder}/slipway_converter`), ...(await plainFiles()));
  if ((await labelOf(engine, name, LABEL)) === inputs) return name;
  const { site, libraries } = await converterFolders(paths);
  await step(`image ${name}`, () =>
    inContext(paths, async (context) => {
      await run('cp', ['-rl', site, `${context}/site`]);
      await run('cp', ['-rl', libraries, `${context}/libraries`]);
      // Tests compile what lies in the cache; the image does that itself, and would hold it twice.
      for (const part of ['site', 'libraries']) await withoutTests(`${context}/${part}`);
      const code = { recursive: true, filter: (path: string) => !path.includes('__pycache__') };
      await cp(`${folder}/slipway_converter`, `${context}/slipway_converter`, code);
      for (const file of ['Dockerfile', 'slipway-converter']) await cp(`${folder}/${file}`, `${context}/${file}`);
      await buildImage(engine, name, context, [...base, '--label', `${LABEL}=${inputs}`]);
    }),
  );
  return name;
}

const plainFiles = (): Promise<string[]> =>
  Promise.all(
    ['Dockerfile', 'slipway-converter', 'requirements.txt', 'libraries.txt'].map((file) =>
      readFile(`${folder}/${file}`, 'utf8'),
    ),
  );

if (import.meta.main) process.stdout.write(`${await buildConverterImage()}\n`);
