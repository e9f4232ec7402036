/**
 * Writes docs/models.md: trains the models people use, converts each as a cluster does, loads the result as the model server
 * does, and compares answers and times. `node scripts/models.ts [NAME…]` takes some minutes.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Converter, converter, script } from '../converter-image/test/environment.ts';
import { inspectFile, loadModel } from '../serving-image/src/model/load.ts';

const PAGE = 'docs/models.md';
const REFUSED = 'Not converted';
const RUNS = 300;

interface Saved {
  readonly section: string;
  readonly name: string;
  readonly folder: string;
  /** Milliseconds of one row in Python. */
  readonly python: number | null;
}

interface Outcome {
  readonly folder: string;
  readonly reason: string;
  readonly message: string;
}

interface Conversion {
  readonly inputs: string;
  readonly seconds: number;
  readonly peakMemory: number;
  readonly libraries: Readonly<Record<string, string>>;
  readonly parity: { readonly rows: number; readonly relative: number };
}

const linesOf = <T>(text: string): T[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

const conversionOf = (folder: string): Conversion =>
  JSON.parse(readFileSync(join(`${folder}-onnx`, 'conversion.json'), 'utf8'));

/** Microseconds of one row in the code of the model server, from named values to what is answered, and what computes it. */
async function served(dir: string): Promise<{ readonly micros: number; readonly engine: string }> {
  const files = readdirSync(dir).map((path) => {
    const bytes = readFileSync(join(dir, path));
    return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  await inspectFile(dir, files);
  const model = await loadModel(dir, files, 1, { engine: 'auto' });
  const rows = model.examples?.inputs.slice(0, 1) ?? [];
  const once = async () => model.read(await model.session.run(model.encode(rows)));
  for (let i = 0; i < RUNS; i++) await once();
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const started = performance.now();
    await once();
    times.push(performance.now() - started);
  }
  await model.session.release();
  return { micros: Math.min(...times) * 1000, engine: model.engine };
}

const short = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(2));
const difference = (value: number): string => (value === 0 ? '0' : value.toExponential(0));

async function row(saved: Saved, outcome: Outcome): Promise<string> {
  const { inputs, parity } = conversionOf(saved.folder);
  const { micros, engine } = await served(`${saved.folder}-onnx`);
  const python = saved.python === null ? '' : short(saved.python * 1000);
  const faster = saved.python === null ? '' : `${short((saved.python * 1000) / micros)} ×`;
  const cells = [saved.name, inputs, parity.rows, difference(parity.relative), python, short(micros), faster, engine];
  console.log(`# ${saved.name}: ${outcome.reason}, ${engine}`);
  return `| ${cells.join(' | ')} |`;
}

const HEAD = `| model | inputs | rows compared | largest difference | Python, µs a row | server, µs a row | | engine |
|---|---|--:|--:|--:|--:|--:|---|`;

async function section(name: string, all: readonly (readonly [Saved, Outcome])[]): Promise<string> {
  const rows: string[] = [];
  for (const [saved, outcome] of all) rows.push(await row(saved, outcome));
  return `## ${name}\n${HEAD}\n${rows.join('\n')}\n`;
}

function refusals(all: readonly (readonly [Saved, Outcome])[]): string {
  const rows = all.map(
    ([{ name }, { reason, message }]) => `| ${name} | ${reason} | ${message.replaceAll('|', '/')} |`,
  );
  return `## ${REFUSED}\n| model | reason | what the condition says |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function intro(any: Conversion): string {
  const { libraries } = any;
  const versions = Object.entries(libraries).map(([name, version]) => `${name} ${version}`);
  const machine = cpus()[0]?.model ?? 'an unknown processor';
  return `# Models that are converted
Written by \`node scripts/models.ts\`: every model below was trained, saved as \`mlflow.sklearn.log_model\` does, converted in the sandbox, and loaded as the model server loads it. Do not edit by hand.

- **rows compared**: the Python model and its ONNX form were asked about so many rows: the example the model was logged with, seeded rows from the ranges the model knows, and rows at and beside its thresholds. Classes must be equal (rows whose two best classes are equally likely within 1e-5 count as ties), numbers may differ by 1e-4 absolutely or of the larger one. What disagrees is \`ParityFailed\` and is not served.
- **largest difference**: of the larger of the two numbers, or absolute where both are below 1. The class comes first: it was equal everywhere.
- **inputs**: \`float32\` is one matrix of 32-bit floats. \`float64\` is chosen where a threshold behind a scaler would otherwise be met on the wrong side; \`columns of …\` is one input a column, for tables with texts.
- **Python**: \`predict_proba\`, or \`predict\`, of one row. **server**: the same row from named values to the answer, in the model server's code without HTTP. The best of many, one thread each; both on this machine: ${machine}, ${cpus().length} cores, which had other work too.

Libraries here: ${versions.join(', ')}. The image also loads models of other versions: \`converter-image/libraries.txt\`.
`;
}

async function pageOf(work: string, found: Converter, names: readonly string[]): Promise<string> {
  const saved = linesOf<Saved>(await script(found, 'zoo.py', 'save', work, ...names));
  const folders = saved.map(({ folder }) => folder);
  const outcomes = linesOf<Outcome>(await script(found, 'convert_many.py', found.libraries, ...folders));
  const both = saved.map((one, i) => [one, outcomes[i] as Outcome] as const);
  const isDone = ([, { reason }]: readonly [Saved, Outcome]) => reason === 'Converted';
  const wrong = both.filter((one) => isDone(one) === (one[0].section === REFUSED));
  if (wrong.length > 0) {
    const told = wrong.map(([{ name }, { reason, message }]) => `${name}: ${reason}: ${message}`);
    throw new Error(`the list in zoo.py says otherwise of\n${told.join('\n')}`);
  }
  const converted = both.filter(isDone);
  const parts = [intro(conversionOf((converted.at(-1) as (typeof converted)[number])[0].folder))];
  for (const name of new Set(converted.map(([{ section }]) => section))) {
    parts.push(
      await section(
        name,
        converted.filter(([one]) => one.section === name),
      ),
    );
  }
  return [...parts, refusals(both.filter((one) => !isDone(one)))].join('\n');
}

const found = await converter();
if (typeof found === 'string') throw new Error(found);
const names = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'slipway-models-'));
try {
  const page = await pageOf(work, found, names);
  if (names.length > 0) console.log(page);
  else writeFileSync(PAGE, page);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit();
