/** Models that scikit-learn trained, skl2onnx converted and mlflow saved: what is served must be what they predict. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { python } from '../../trainer-image/test/python/venv.ts';
import { modelFolder } from './folder.ts';
import { run, type Served, serveFolder } from './program.ts';

/** What log_models.py says of one model. */
interface Reference {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly labels: readonly string[] | null;
  readonly classes: readonly string[] | null;
  readonly probabilities: readonly (readonly number[])[] | null;
  readonly values: readonly number[] | null;
}

const TOLERANCE = 1e-5;

const scripts = join(import.meta.dirname, 'python');
const logged = mkdtempSync(join(tmpdir(), 'slipway-mlflow-'));
after(() => rmSync(logged, { recursive: true, force: true }));

function logModels(): Readonly<Record<string, Reference>> {
  const interpreter = python(join(scripts, 'requirements.txt'));
  const { status, stdout, stderr } = spawnSync(interpreter, [join(scripts, 'log_models.py'), logged], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const folderOf = (t: TestContext, name: string) =>
  modelFolder(
    t,
    Object.fromEntries(readdirSync(join(logged, name)).map((file) => [file, readFileSync(join(logged, name, file))])),
  );

function assertClose(got: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(got.length, expected.length, what);
  got.forEach((value, i) => {
    const wanted = expected[i] as number;
    assert.ok(
      Math.abs(value - wanted) <= TOLERANCE * Math.max(1, Math.abs(wanted)),
      `${what} ${i}: ${value}, ${wanted}`,
    );
  });
}

async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

interface TensorJson {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

/** The floating-point outputs side by side, row by row, as the tensor protocol gives them. */
async function probabilitiesOf(served: Served, rows: Reference['rows']): Promise<number[][]> {
  const about = (await (await fetch(`${served.url}/v2/models/iris`)).json()) as { inputs: TensorJson[] };
  const inputs = about.inputs.map(({ name, datatype, shape }, index) => {
    const isMatrix = about.inputs.length === 1;
    const values = rows.map((row) => Object.values(row));
    const data = values.flatMap((row) => (isMatrix ? row : [row[index]]));
    return { name, datatype, shape: [rows.length, ...shape.slice(1)], data };
  });
  const answer = await post(`${served.url}/v2/models/iris/infer`, { inputs });
  const floats = (answer['outputs'] as TensorJson[]).filter(({ datatype }) => datatype.startsWith('FP'));
  return rows.map((_, row) =>
    floats.flatMap(({ data, shape }) => {
      const width = shape[1] ?? 1;
      return data.slice(row * width, (row + 1) * width) as number[];
    }),
  );
}

const models = logModels();

describe('a model that mlflow.onnx logged', () => {
  for (const [name, { rows, labels, classes, probabilities, values }] of Object.entries(models)) {
    test(`${name}: verified, and answers as scikit-learn does`, async (t) => {
      const folder = await folderOf(t, name);
      const env = { MODEL_ARTIFACT: JSON.stringify(folder.artifact), MODEL_DIR: folder.dir };
      const verification = await run(t, 'verify', env);
      await verification.ended;
      const verdict = await verification.termination();
      assert.equal(verdict?.reason, 'Verified', verdict?.message);

      const served = await serveFolder(t, folder);
      const answer = await post(`${served.url}/predict`, { samples: rows });
      if (values) {
        assertClose((answer['prediction'] as number[]).flat(), values, 'value');
        return;
      }
      assert.deepEqual(answer['class_label'], labels);
      const areNumbers = classes?.every((label) => /^-?\d+$/.test(label));
      const ids = areNumbers ? labels?.map(Number) : labels?.map((label) => classes?.indexOf(label));
      // Two of the forms name no classes anywhere: labels are all there is.
      if (areNumbers || !name.startsWith('zipmap')) assert.deepEqual(answer['class_id'], ids);
      const table = await probabilitiesOf(served, rows);
      table.forEach((got, row) => {
        assertClose(got, probabilities?.[row] ?? [], `probabilities of row ${row}`);
      });
    });
  }

  test('a text that the model was not trained on is refused by name of column and text, as the request’s fault', async (t) => {
    const name = 'a column of text';
    const served = await serveFolder(t, await folderOf(t, name));
    const samples = [{ ...models[name]?.rows[0], colour: 'green' }];
    const response = await fetch(`${served.url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ samples }),
    });
    assert.equal(response.status, 422);
    assert.deepEqual(await response.json(), {
      detail: [
        {
          loc: ['body', 'samples', 0, 'colour'],
          msg: "Input should be one of 'blue', 'violet', 'white'",
          type: 'literal_error',
        },
      ],
    });
  });
});
