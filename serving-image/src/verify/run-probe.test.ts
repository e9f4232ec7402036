import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProbe } from './run-probe.ts';

const REQUEST = { dir: '/nowhere', files: [] };
const program = (script: string) => ({ command: process.execPath, arguments: ['--input-type=module', '-e', script] });

test('a model that hangs is a LoadTimeout, and its process is gone', async () => {
  const started = Date.now();
  await assert.rejects(runProbe(REQUEST, 0.3, program('for (;;);')), {
    reason: 'LoadTimeout',
    message: /within 0\.3 s/,
  });
  assert.ok(Date.now() - started < 5000);
});

test('a model that crashes the runtime is an InvalidModel that names the signal', async () => {
  await assert.rejects(runProbe(REQUEST, 20, program('process.kill(process.pid, "SIGSEGV")')), {
    reason: 'InvalidModel',
    message: /died \(SIGSEGV\)/,
  });
});

test('a model that is killed for its memory says so', async () => {
  await assert.rejects(runProbe(REQUEST, 20, program('process.kill(process.pid, "SIGKILL")')), {
    reason: 'OutOfMemory',
    message: /out of memory/,
  });
});

test('the loading process gets no environment', async () => {
  const script =
    'process.once("message", () => process.send({ ok: false, reason: "InternalError", message: JSON.stringify(Object.keys(process.env)) }, () => process.disconnect()))';
  await assert.rejects(runProbe(REQUEST, 20, program(script)), (error: Error) => {
    const names = JSON.parse(error.message) as string[];
    return names.every((name) => name === 'PWD' || name.startsWith('NODE_CHANNEL'));
  });
});
