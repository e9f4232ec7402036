/**
 * Our learners beside scikit-learn's: the same data, one processor each, in turn. Each is warmed by a fit to a few rows, then
 * fitted until there are three fits or the time is up, once at least; the table has the median.
 * Usage: node bench/training.ts [--rows=20000] [--columns=30] [--trees=100] [--seconds=20] [--only=forest,ridge]
 * Seconds are those of the processor, so that neighbours on the machine do not count. A fit to 100,000 rows (--rows=100000)
 * takes scikit-learn minutes where a forest learns a quantity.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { python } from '../trainer-image/test/python/venv.ts';
import { printTable } from './table.ts';
import { type Case, casesOf, type Figures, WARM_ROWS } from './training/cases.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '20000' },
    columns: { type: 'string', default: '30' },
    trees: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
  },
});
const FITS = 3;
const oneThread = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
const script = join(import.meta.dirname, 'training', 'scikit_learn.py');
const interpreter = python();
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-training-'));

function ask(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(interpreter, [script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`scikit_learn.py ${args[0]} failed: ${stderr}`);
  return stdout.trim();
}

/** One side of a case: a process that fits once, and again whenever it is told to. */
function start(command: string, args: readonly string[]) {
  const child: ChildProcess = spawn('taskset', ['-c', '0', command, ...args], {
    env: { ...process.env, ...oneThread },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  let used = 0;
  const figures: Figures[] = [];
  return {
    figures,
    async fit(): Promise<void> {
      if (figures.length > 0) child.stdin?.write('\n');
      const { value, done } = await lines.next();
      if (done) throw new Error(`${command} ended without figures`);
      figures.push(JSON.parse(value) as Figures);
      used += (figures.at(-1) as Figures).seconds;
    },
    wantsMore: () => figures.length < FITS && used + used / figures.length < Number(values.seconds),
    stop: () => child.stdin?.end(),
  };
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;

const combined = (figures: readonly Figures[]): Figures => ({
  seconds: median(figures.map(({ seconds }) => seconds)),
  memory: median(figures.map(({ memory }) => memory)),
  score: median(figures.map(({ score }) => score)),
});

async function compare(which: Case): Promise<[Figures, Figures]> {
  const text = JSON.stringify(which);
  const ours = ['--expose-gc', join(import.meta.dirname, 'training', 'slipway.ts'), folder, text];
  const sides = [
    () => start(process.execPath, ours),
    () => start(interpreter, ['-W', 'ignore', script, 'fit', folder, text]),
  ];
  // Each loads, warms up and fits once by itself; after that they take turns.
  const started = [];
  try {
    for (const side of sides) {
      const running = side();
      started.push(running);
      await running.fit();
    }
    while (started.some((side) => side.wantsMore())) {
      for (const side of started) if (side.wantsMore()) await side.fit();
    }
  } finally {
    for (const side of started) side.stop();
  }
  return started.map(({ figures }) => combined(figures)) as [Figures, Figures];
}

const [rows, columns, trees] = [Number(values.rows), Number(values.columns), Number(values.trees)];
const only = values.only.split(',').filter((name) => name !== '');
const overData = ({ memory }: Figures): string => `${(memory / (4 * rows * columns)).toFixed(1)}×`;

try {
  console.log(
    `machine: ${cpus()[0]?.model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; ` +
      `Node ${process.version}; ${ask('version')}\n` +
      `${rows} rows, ${columns} columns, ${trees} trees; warmed by ${WARM_ROWS} rows, at most ${FITS} fits each; ` +
      'memory: the peak above what was held before, over the data as 32-bit numbers',
  );
  ask('make', folder, String(rows), String(columns));
  const table: string[][] = [];
  for (const which of casesOf({ rows, columns, trees })) {
    if (only.length > 0 && !only.some((part) => which.name.includes(part))) continue;
    const [ours, theirs] = await compare(which);
    table.push([
      which.name,
      ours.seconds.toFixed(3),
      theirs.seconds.toFixed(3),
      `${(ours.seconds / theirs.seconds).toFixed(2)}×`,
      overData(ours),
      overData(theirs),
      ours.score.toFixed(4),
      theirs.score.toFixed(4),
    ]);
  }
  const sides = (what: string) => [`slipway ${what}`, `scikit-learn ${what}`];
  printTable(['algorithm', ...sides('s'), 'ratio', ...sides('memory'), ...sides('score')], table);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
