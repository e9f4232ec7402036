import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Gate } from '@slipway/contract';
import { evidenceFor } from './evidence.ts';
import { judge } from './gates.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-evidence-'));
  await write('held-out.csv', 'x,"__target__",y\r\n1,"a,b",2\r\n3,c,4\r\n');
  await write('candidate.json', answers('a,b', 'c'));
  await write('1.json', answers('a,b', 'a,b'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(join(folder, name), text);
const answers = (...labels: string[]) =>
  JSON.stringify({ labels, probabilities: labels.map(() => [0.5, 0.5]), classes: ['a,b', 'c'] });
const gates: Gate[] = [{ metric: 'accuracy', notWorseThan: { version: '2', by: 0, resolved: 2, reference: 1 } }];

async function told(asked = gates): Promise<string> {
  const evidence = await evidenceFor(asked, { metrics: [], outputDir: folder, answersDir: folder });
  const { passed, results } = judge(asked, evidence);
  return `${passed}: ${results.map(({ message }) => message).join('; ')}`;
}

test('the targets, the answers of the new model and those of the numbered reference are brought together', async () => {
  assert.match(await told(), /^true: accuracy is 1, version 2 \(2\) has 0\.5 on the same 2 held-out rows/);
});

for (const [what, name, text, expected] of [
  [
    'no target among the columns',
    'held-out.csv',
    'x,y\n1,2\n',
    /its header has no column __target__; correct \/output\/held-out\.csv/,
  ],
  ['an empty file', 'held-out.csv', '', /it is empty/],
  ['rows of different lengths', 'held-out.csv', 'x,__target__\n1\n', /it is not CSV/],
  [
    'a line without end',
    'held-out.csv',
    `__target__,x\n${','.repeat(2 * 1024 ** 2)}\n`,
    /a line has more than 1048576 bytes: it is not read/,
  ],
  ['answers that are none', 'candidate.json', '{"labels":', /the new model: its answers cannot be read/],
  ['a problem of the reference', '1.json', '{"problem":"it takes z"}', /version 2 \(2\): it takes z/],
  ['answers without end', '1.json', ' '.repeat(17 * 1024 ** 2), /more than 16777216 bytes: hold out fewer rows/],
] as const) {
  test(`${what}: the gate fails and says so`, async () => {
    await write(name, text);
    assert.match(await told(), new RegExp(`^false: accuracy could not be compared with version 2.*${expected.source}`));
  });
}

test('without held-out rows or answers the gate fails; one that compares with nothing reads nothing', async () => {
  await rm(join(folder, '1.json'));
  assert.match(await told(), /version 2 \(2\): it was not asked/);
  await rm(join(folder, 'held-out.csv'));
  assert.match(await told(), /the trainer left no \/output\/held-out\.csv/);
  assert.match(await told([{ metric: 'accuracy', notWorseThan: { version: 'Production', by: 0 } }]), /^true/);
});
