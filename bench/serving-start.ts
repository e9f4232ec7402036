/**
 * How long from starting the process to its first prediction, and how much memory it then holds.
 * Usage: node bench/serving-start.ts [runs]   (bundle first: node scripts/bundle.ts serving-image)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { filesOf, modelFolder } from '../serving-image/test/folder.ts';
import { iris, irisRow } from '../serving-image/test/models.ts';
import { serveEnv } from '../serving-image/test/program.ts';

/** As the Dockerfile sets them. */
const IMAGE_OPTIONS = '--max-semi-space-size=2';
const cleanups: (() => unknown)[] = [];
const bundle = join(import.meta.dirname, '../serving-image/dist/main.mjs');
const main = existsSync(bundle) ? bundle : join(import.meta.dirname, '../serving-image/src/main.ts');
const folder = await modelFolder({ after: (fn: () => unknown) => void cleanups.push(fn) } as never, filesOf(iris));

interface Figures {
  readonly firstAnswerMs: number;
  readonly rssMib: number;
  readonly rssAfterLoadMib: number;
}

async function measure(): Promise<Figures> {
  const cwd = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const start = performance.now();
  const child = spawn(process.execPath, [main], {
    cwd,
    env: { ...serveEnv(folder), NODE_OPTIONS: IMAGE_OPTIONS },
  });
  let port: unknown;
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line) as Record<string, unknown>;
    port ??= entry['port'];
    if (entry['message'] === 'ready') break;
  }
  const url = `http://127.0.0.1:${port}/predict`;
  const body = JSON.stringify({ samples: [irisRow([5.1, 3.5, 1.4, 0.2])] });
  const ask = async (): Promise<void> => {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    if (!response.ok) throw new Error(`status ${response.status}`);
    await response.text();
  };
  await ask();
  const firstAnswerMs = performance.now() - start;
  const rss = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
  const rssMib = rss();
  for (let i = 0; i < 200; i++) await Promise.all(Array.from({ length: 16 }, ask));
  const rssAfterLoadMib = rss();
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
  return { firstAnswerMs, rssMib, rssAfterLoadMib };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

const runs = Number(process.argv[2] ?? 5);
const figures: Figures[] = [];
for (let i = 0; i < runs; i++) figures.push(await measure());
for (const cleanup of cleanups) await cleanup();
console.log(
  JSON.stringify(
    {
      what: 'iris logistic regression, one row',
      program: main.endsWith('.mjs') ? 'bundle' : 'source',
      runs,
      firstAnswerMs: Math.round(median(figures.map((f) => f.firstAnswerMs))),
      rssMib: Math.round(median(figures.map((f) => f.rssMib))),
      rssAfter3200RequestsMib: Math.round(median(figures.map((f) => f.rssAfterLoadMib))),
      node: process.version,
      machine: `${cpus().length} × ${cpus()[0]?.model}`,
    },
    null,
    2,
  ),
);
