/** Our registry beside a real `mlflow server`, asked the same by unmodified clients, compared field by field. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Both, CLIENTS, type Skipped, STARTING_MS, startBoth } from './both.ts';
import { conformanceTable, failureText, judge, meantText, slowest, type Verdict } from './conformance.ts';
import { deviations } from './deviations.ts';
import { drive } from './driver.ts';

/** For work on some scenarios: a pattern for `category: name`. What is left out is not checked. */
const only = process.env['SLIPWAY_CONFORMANCE_ONLY'];
/** For work on many: where what differs is written, by accident and on purpose, with the client's label appended. */
const report = process.env['SLIPWAY_CONFORMANCE_REPORT'];
const TESTING_MS = 15 * 60_000;

const verdicts = new Map<string, readonly Verdict[]>();
let both: Both | Skipped;
before(
  async () => {
    both = await startBoth();
  },
  { timeout: STARTING_MS },
);
after(async () => {
  if ('stop' in both) await both.stop();
});

for (const [index, { label, version }] of CLIENTS.entries()) {
  test(`mlflow ${version} cannot tell our registry from the real server`, { timeout: TESTING_MS }, async (t) => {
    if ('skipped' in both) return t.skip(both.skipped);
    const { clients, ours, real } = both;
    const options = { python: clients[index]?.python as string, label, ...(only && { only }) };
    const [here, there] = await Promise.all([
      drive({ ...options, uri: ours.url, ours: true }),
      drive({ ...options, uri: real.url, ours: false }),
    ]);
    const judged = judge({ place: ours, scenarios: here }, { place: real, scenarios: there }, deviations);
    verdicts.set(version, judged);
    console.log(conformanceTable(version, judged).join('\n'));
    const failing = judged.filter(({ failures }) => failures.length > 0).map(failureText);
    t.diagnostic(`slowest: ours ${slowest(here)}; the real ones ${slowest(there)}`);
    if (report) {
      writeFileSync(`${report}.${label}`, `${failing.join('\n\n')}\n`);
      const meant = judged.filter((verdict) => verdict.meant.length > 0).map(meantText);
      writeFileSync(`${report}.${label}.meant`, `${meant.join('\n\n')}\n`);
      writeFileSync(`${report}.${label}.json`, JSON.stringify({ here, there }));
    }
    assert.equal(failing.length, 0, failing.join('\n'));
  });
}

test('there are scenarios enough to mean something', (t) => {
  if ('skipped' in both) return t.skip(both.skipped);
  if (only) return t.skip('only some scenarios were asked for');
  for (const { version } of CLIENTS) {
    const count = verdicts.get(version)?.length ?? 0;
    assert.ok(count >= 180, `${count} with ${version}`);
  }
});

test('every deviation is still one', (t) => {
  if ('skipped' in both) return t.skip(both.skipped);
  if (only || verdicts.size < CLIENTS.length) return t.skip('not every scenario was run');
  const seen = new Set([...verdicts.values()].flat().flatMap(({ meant }) => meant.map(({ id }) => id)));
  const stale = deviations.map(({ id }) => id).filter((id) => !seen.has(id));
  assert.deepEqual(stale, [], 'nothing differs there any more');
});

test('every deviation is explained to users', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/mlflow-deviations.md'), 'utf8');
  const unexplained = deviations.map(({ id }) => id).filter((id) => !document.includes(`\`${id}\``));
  assert.deepEqual(unexplained, [], 'docs/mlflow-deviations.md does not name them');
});
