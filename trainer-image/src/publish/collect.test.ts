/** What a hostile trainer can leave behind: each is refused in words, and none keeps `publish` waiting. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { collectFiles, readRegular } from './collect.ts';

let output: string;
beforeEach(async () => {
  output = await mkdtemp(join(tmpdir(), 'slipway-collect-'));
  await write('model/model.onnx', 'x');
});
afterEach(() => rm(output, { recursive: true, force: true }));

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(output, path)), { recursive: true });
  await writeFile(join(output, path), content);
}
const refused = (message: RegExp) => assert.rejects(collectFiles(output), { reason: 'InvalidModel', message });

test('the profile goes with the model, as signature and examples do; held-out rows and progress stay behind', async () => {
  for (const name of [
    'profile.json',
    'signature.json',
    'examples.json',
    'held-out.csv',
    'progress.json',
    'metrics.jsonl',
  ])
    await write(name, '{}');
  const files = await collectFiles(output);
  assert.deepEqual(
    files.map(({ path }) => path),
    ['model/model.onnx', 'model/signature.json', 'model/examples.json', 'model/profile.json'],
  );
});

for (const path of ['model/pipe', 'artifacts/pipe', 'profile.json', 'model']) {
  test(`a pipe at ${path} is refused, not waited for`, async () => {
    await rm(join(output, path), { recursive: true, force: true });
    await mkdir(dirname(join(output, path)), { recursive: true });
    execFileSync('mkfifo', [join(output, path)]);
    await refused(/neither a file nor a folder/);
  });
}

test('a file whose name is no text is refused by what can be read of it', async () => {
  await mkdir(join(output, 'artifacts'));
  await writeFile(Buffer.concat([Buffer.from(join(output, 'artifacts/plot')), Buffer.from([0xff])]), 'x');
  await refused(/file name "artifacts\/plot.*" in the output cannot be used; rename it/);
});

test('a pipe in place of a document is not waited for either', async () => {
  execFileSync('mkfifo', [join(output, 'metrics.json')]);
  await assert.rejects(readRegular(join(output, 'metrics.json'), 'metrics.json'), /neither a file nor a folder/);
});

test('a socket is refused', async () => {
  await mkdir(join(output, 'artifacts'));
  const server = createServer();
  await new Promise<void>((listening) => server.listen(join(output, 'artifacts/s'), listening));
  await refused(/neither a file nor a folder/);
  await new Promise((closed) => server.close(closed));
});

test('a file that is all holes is refused before it is read', async () => {
  await write('artifacts/holes', '');
  await truncate(join(output, 'artifacts/holes'), 8 * 1024 ** 4);
  await refused(/\d+ bytes together; expected at most 10737418240/);
  await assert.rejects(readRegular(join(output, 'artifacts/holes'), 'holes'), /expected at most/);
});

test('twenty thousand files are refused without listing them all', async () => {
  await mkdir(join(output, 'artifacts'));
  execFileSync('sh', ['-c', 'seq 20000 | xargs touch'], { cwd: join(output, 'artifacts') });
  await refused(/more than 256 files/);
});

test('folders without end are refused, deep or many', async () => {
  await mkdir(join(output, 'artifacts', ...Array.from({ length: 200 }, () => 'deep')), { recursive: true });
  await refused(/cannot be used; rename it/);
  await rm(join(output, 'artifacts'), { recursive: true });
  for (let i = 0; i < 257; i++) await mkdir(join(output, 'artifacts', String(i)), { recursive: true });
  await refused(/more than 256 files/);
});

test('a link out of the output is refused wherever it lies', async () => {
  await write('artifacts/deep/er/x', 'x');
  await symlink('/etc', join(output, 'artifacts/deep/er/etc'));
  await refused(/"artifacts\/deep\/er\/etc" in the output is a symbolic link/);
});

test('what the trainer made unreadable is its fault, and named', async () => {
  const user = 65532;
  for (const [path, mode] of [
    ['artifacts/secret', 0o000],
    ['artifacts', 0o000],
  ] as const) {
    await write('artifacts/secret', 'x');
    await chmod(join(output, path), mode);
    // The superuser may read all: the pod's user may not.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) for (const name of ['', 'model', 'artifacts']) await chown(join(output, name), user, user);
    if (isRoot) process.seteuid?.(user);
    try {
      const reading = collectFiles(output).then(() =>
        readRegular(join(output, 'artifacts/secret'), 'artifacts/secret'),
      );
      await assert.rejects(reading, { reason: 'InvalidModel', message: /cannot be read \(EACCES\)/ });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    await chmod(join(output, path), 0o700);
  }
});
