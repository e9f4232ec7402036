/** Our registry beside a real `mlflow server`, asked the same by unmodified clients, compared field by field. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startPostgres, type TestPostgres } from '../../database/testing/postgres.ts';
import { startMinio, type TestMinio } from '../../object-store/testing/minio.ts';
import { conformanceTable, failureText, judge, type Verdict } from './conformance.ts';
import { deviations } from './deviations.ts';
import { drive } from './driver.ts';
import { type MlflowServer, startOracle, startOurs } from './servers.ts';
import { NoPython, pythonWith } from './venv.ts';

const minutes = 60_000;
/** For work on some scenarios: a pattern for `category: name`. What is left out is not checked. */
const only = process.env['SLIPWAY_CONFORMANCE_ONLY'];
const requirements = (name: string) => join(import.meta.dirname, 'python', `requirements-${name}.txt`);
const versionOf = (name: string) => /^mlflow==(.*)$/m.exec(readFileSync(requirements(name), 'utf8'))?.[1] ?? name;

const clients = ['new', 'old'];
const verdicts = new Map<string, readonly Verdict[]>();
let skipped: string | undefined;
let pythons: readonly string[] = [];
let postgres: TestPostgres | undefined;
let minio: TestMinio | undefined;
let ours: MlflowServer | undefined;
let real: MlflowServer | undefined;

before(
  async () => {
    try {
      pythons = await Promise.all(clients.map((name) => pythonWith(requirements(name))));
    } catch (error) {
      if (!(error instanceof NoPython)) throw error;
      skipped = `skipped: the clients cannot be installed: ${error.message}`;
      return;
    }
    [postgres, minio] = await Promise.all([startPostgres(), startMinio()]);
    ours = await startOurs(await postgres.freshDatabase(), await minio.freshBucket());
    real = await startOracle(pythons[0] as string, await postgres.freshDatabase());
  },
  { timeout: 20 * minutes },
);
after(async () => {
  await Promise.all([ours?.stop(), real?.stop()]);
  await Promise.all([postgres?.stop(), minio?.stop()]);
});

for (const [index, label] of clients.entries()) {
  const version = versionOf(label);
  test(`mlflow ${version} cannot tell our registry from the real server`, { timeout: 20 * minutes }, async (t) => {
    if (skipped || !ours || !real) return t.skip(skipped);
    const options = { python: pythons[index] as string, label, ...(only && { only }) };
    const [here, there] = await Promise.all([
      drive({ ...options, uri: ours.url, ours: true }),
      drive({ ...options, uri: real.url, ours: false }),
    ]);
    const judged = judge({ place: ours, scenarios: here }, { place: real, scenarios: there }, deviations);
    verdicts.set(version, judged);
    console.log(conformanceTable(version, judged).join('\n'));
    const failing = judged.filter(({ failures }) => failures.length > 0).map(failureText);
    const report = process.env['SLIPWAY_CONFORMANCE_REPORT'];
    if (report) writeFileSync(`${report}.${label}`, `${failing.join('\n\n')}\n`);
    assert.deepEqual(failing, [], failing.join('\n'));
  });
}

test('there are scenarios enough to mean something', (t) => {
  if (skipped || only) return t.skip(skipped ?? 'only some scenarios were asked for');
  for (const [version, judged] of verdicts) assert.ok(judged.length >= 180, `${judged.length} with ${version}`);
});

test('every deviation is still one, and is explained', (t) => {
  const documented = readFileSync(join(import.meta.dirname, '../../docs/mlflow-deviations.md'), 'utf8');
  const unexplained = deviations.filter(({ id }) => !documented.includes(`\`${id}\``)).map(({ id }) => id);
  assert.deepEqual(unexplained, [], 'docs/mlflow-deviations.md does not name them');
  if (skipped || only || verdicts.size < clients.length) return t.skip(skipped ?? 'not every scenario was run');
  const seen = new Set([...verdicts.values()].flat().flatMap(({ deviating }) => deviating));
  assert.deepEqual(
    deviations.map(({ id }) => id).filter((id) => !seen.has(id)),
    [],
    'stale: nothing differs there',
  );
});
