/** The contract kit as somebody uses it who writes a trainer: the script of the examples, Docker, and images of any kind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildExample } from './support/example-trainers.ts';

function check(...args: string[]) {
  const { status, stdout } = spawnSync('sh', ['examples/trainers/check.sh', ...args], { encoding: 'utf8' });
  const verdicts = [...stdout.matchAll(/^(ok|absent|wrong) +(.+?) {2,}(.*)$/gm)];
  const findings = new Map(verdicts.map(([, verdict, rule, message]) => [rule, `${verdict}: ${message}`]));
  return { status, findings, stdout };
}

test('the shell trainer keeps the contract with two files', async () => {
  const { status, findings, stdout } = check('-p', 'samples=7', await buildExample('shell'));
  assert.equal(status, 0, stdout);
  assert.match(findings.get('model/model.onnx') ?? '', /^ok: /);
  assert.match(findings.get('metrics.json') ?? '', /^ok: 3 values/);
});

test('the Python trainer keeps every rule, on the parameters and the data it is given', async () => {
  const image = await buildExample('onnx-python');
  const folder = mkdtempSync(join(tmpdir(), 'slipway-kit-data-'));
  try {
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${(i * 7) % 11},${i < 20 ? 'low' : 'high'}`);
    writeFileSync(join(folder, 'train'), ['a,b,level', ...rows, ''].join('\n'));
    const args = ['-d', folder, '-p', 'target=level', '-p', 'n_estimators=20', image];
    const { status, findings, stdout } = check(...args);
    assert.equal(status, 0, stdout);
    assert.deepEqual(
      [...findings.values()].filter((finding) => !finding.startsWith('ok')),
      [],
    );
    assert.match(stdout, /tree 20 of 20/);
    assert.match(findings.get('signature.json') ?? '', /2 inputs/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the mlflow script registers its version where a folder stands for the registry', async () => {
  const { status, findings, stdout } = check(await buildExample('sklearn-mlflow'), '--trees', '10');
  assert.equal(status, 0, stdout);
  assert.match(findings.get('model/model.onnx') ?? '', /registered one version by mlflow/);
});

test('a bad trainer is told every rule it breaks, as the pod would break it', async () => {
  const script = [
    'touch /usr/x && echo the root file system can be written',
    'touch /input/x && echo the inputs can be written',
    'mkdir -p /output/model && ln -s /etc/passwd /output/model/model.onnx',
    'echo "{\\"accuracy\\": \\"high\\"}" > /output/metrics.json',
    'echo x > /output/modell.onnx',
    'echo "user $(id -u), capabilities $(grep CapEff /proc/self/status)"',
    'exit 3',
  ].join('\n');
  const { status, findings, stdout } = check('-e', 'sh', await buildExample('shell'), '-c', script);
  assert.equal(status, 1);
  assert.doesNotMatch(stdout, /can be written/);
  assert.match(stdout, /user 65532, capabilities CapEff:\s*0+$/m);
  for (const [rule, message] of [
    ['exit code', /wrong: TrainerFailed: got 3, expected 0/],
    ['model/model.onnx', /wrong: InvalidModel: .*symbolic link/],
    ['metrics.json', /wrong: InvalidMetrics: .*accuracy/],
    ['other files', /wrong: modell\.onnx/],
  ] as const) {
    assert.match(findings.get(rule) ?? '', message);
  }
});
