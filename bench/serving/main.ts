/**
 * The model server beside its peers, one processor each, in turn; writes docs/performance.md with its plots.
 * Usage: node bench/serving/main.ts [--grid] [--fresh] [--seconds=3] [--rounds=3] [--only=part of a group's name]
 *   [--no-starts] [--runs=15] [--peer-runs=2] [--report]
 * What is in out/bench-serving/results.json is not measured again unless the build of ours is another one; --fresh begins
 * anew, --report only writes the page. Bundle first: node scripts/bundle.ts serving-image
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../../test/cluster/exec.ts';
import { allGroups, type Group, groupId, quickGroups } from './cells.ts';
import { measure } from './measure.ts';
import { ensureModels } from './models.ts';
import { report, targetTable } from './report.ts';
import { type Machine, type Results, readResults, writeResults } from './results.ts';
import { runtimeVersions, type ServerName, serverOf } from './servers.ts';
import { measureStarts } from './starts.ts';
import { openStation, type Station } from './station.ts';
import { judge } from './targets.ts';
import { ensureWrk } from './wrk.ts';

const { values } = parseArgs({
  options: {
    grid: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    'no-starts': { type: 'boolean', default: false },
    runs: { type: 'string', default: '15' },
    'peer-runs': { type: 'string', default: '2' },
    report: { type: 'boolean', default: false },
  },
});
const root = join(import.meta.dirname, '../..');
const file = join(root, 'out/bench-serving/results.json');
const bundle = join(root, 'serving-image/dist/main.mjs');

async function machineNow(): Promise<Machine> {
  // wrk tells its version and then that it was used wrongly.
  const { stdout, stderr } = await run('wrk', ['-v'], { mayFail: true });
  return {
    processor: cpus()[0]?.model ?? process.arch,
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release().split('-')[0] ?? '',
    runtimes: await runtimeVersions(),
    wrk: /wrk \S+/.exec(`${stdout}${stderr}`)?.[0] ?? 'wrk',
  };
}

function writePage(results: Results): void {
  const { markdown, plots } = report(results);
  const folder = join(root, 'docs/performance');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(plots)) writeFileSync(join(folder, name), content);
  writeFileSync(join(root, 'docs/performance.md'), markdown);
  console.log(`\n${targetTable(judge(results))}\n`);
}

async function noteVersions(results: Results, groups: readonly Group[]): Promise<void> {
  const names = new Set<ServerName>(groups.flatMap(({ servers }) => servers));
  for (const name of names) {
    const text = await serverOf(name).versions();
    if (text !== '') results.versions[name] = text;
  }
}

async function startsIfMissing(results: Results, station: Station, build: string): Promise<void> {
  if (values['no-starts'] || (results.startsBuild === build && Object.keys(results.starts).length > 0)) return;
  const { lr } = await ensureModels();
  const options = { runs: Number(values.runs), peerRuns: Number(values['peer-runs']), only: [] };
  results.starts = await measureStarts({ station, model: lr, ...options });
  results.startsBuild = build;
  writeResults(file, results);
}

async function main(): Promise<void> {
  await ensureWrk();
  const machine = await machineNow();
  if (values.fresh) rmSync(file, { force: true });
  const results = readResults(file, machine);
  if (values.report) return writePage(results);
  if (machine.cores < 2) throw new Error('two processors are needed: one for the server, one for its clients');
  if (!existsSync(bundle)) throw new Error('bundle first: node scripts/bundle.ts serving-image');
  console.log(`# ${machine.cores} × ${machine.processor}; load average ${loadavg()[0]?.toFixed(2)}`);
  const build = createHash('sha256').update(readFileSync(bundle)).digest('hex').slice(0, 12);
  const groups = (values.grid ? allGroups() : quickGroups()).filter((group) => groupId(group).includes(values.only));
  const models = await ensureModels();
  await noteVersions(results, groups);
  const station = openStation();
  const save = (): void => writeResults(file, results);
  try {
    await startsIfMissing(results, station, build);
    const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
    await measure({ station, models, groups, results, build, seconds, rounds, save });
  } finally {
    await station.close();
  }
  writePage(results);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
await main();
