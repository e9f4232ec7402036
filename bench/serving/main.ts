/**
 * The model server beside its peers, one processor each, in turn; writes docs/performance.md with its plots.
 * Usage: node bench/serving/main.ts [--grid] [--fresh] [--seconds=2] [--rounds=3] [--only=part of a group's name]
 *   [--no-starts] [--no-conversions] [--runs=15] [--peer-runs=2] [--report] [--plan]
 * Without --grid: the cells of the targets, starts, conversions. With it: every cell of the grid that no run has measured yet,
 * then those again that short rounds did not decide. What is in out/bench-serving/results.json is not measured again unless
 * the build of ours is another one, so that a run which was stopped goes on; --fresh begins anew, --report only writes the
 * page, --plan only says what would be measured. Bundle first: node scripts/bundle.ts serving-image
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../../test/cluster/exec.ts';
import { CONVERTED, type Group, gridGroups, groupId, quickGroups } from './cells.ts';
import { converterBuild, measureConversion } from './conversion.ts';
import { spread } from './figures.ts';
import { measure } from './measure.ts';
import { ensureModels, MODELS } from './models.ts';
import { duration, estimateSeconds, GRID_PACE, openWork, QUICK_PACE, startsSeconds, type Work } from './plan.ts';
import { conversionTable, report, targetTable } from './report.ts';
import { type Machine, type Results, readResults, writeResults } from './results.ts';
import { ensureMlflow, runtimeVersions, type ServerName, serverOf } from './servers.ts';
import { measureStarts } from './starts.ts';
import { openStation, type Station } from './station.ts';
import { gridCells, judge, undecidedWork } from './targets.ts';
import { ensureWrk } from './wrk.ts';

const { values } = parseArgs({
  options: {
    grid: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    'no-starts': { type: 'boolean', default: false },
    runs: { type: 'string', default: '15' },
    'peer-runs': { type: 'string', default: '2' },
    report: { type: 'boolean', default: false },
    'no-conversions': { type: 'boolean', default: false },
    plan: { type: 'boolean', default: false },
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
  console.log(`\n${targetTable(judge(results))}\n\n${conversionTable(results)}\n`);
}

async function noteVersions(results: Results, groups: readonly Group[]): Promise<void> {
  const names = new Set<ServerName>(groups.flatMap(({ servers }) => servers));
  for (const name of names) {
    const text = await serverOf(name).versions();
    if (text !== '') results.versions[name] = text;
  }
}

const areStartsMissing = (results: Results, build: string): boolean =>
  !values.grid && !values['no-starts'] && (results.startsBuild !== build || Object.keys(results.starts).length === 0);

async function measureAllStarts(results: Results, station: Station, build: string): Promise<void> {
  const { lr } = await ensureModels();
  const options = { runs: Number(values.runs), peerRuns: Number(values['peer-runs']), only: [] };
  results.starts = await measureStarts({ station, model: lr, ...options });
  results.startsBuild = build;
  writeResults(file, results);
}

/** What another converter made, and what could not be converted, is converted again. */
async function convertIfMissing(results: Results): Promise<void> {
  if (values.grid || values['no-conversions']) return;
  const models = await ensureModels();
  for (const name of MODELS) {
    const found = results.conversions[name];
    const isThere = found !== undefined && found.failure === undefined && found.build === converterBuild();
    if (CONVERTED[name] === undefined || isThere) continue;
    console.log(`# conversion of ${name}`);
    const made = await measureConversion(await ensureMlflow(models[name]));
    console.log(`#   ${made.failure ?? `${made.seconds.toFixed(1)} s, ${made.peakMb.toFixed(0)} MB`}`);
    results.conversions[name] = made;
    writeResults(file, results);
  }
}

/** How a group stands, in a few words. */
function standing(results: Results, group: Group): string {
  const cell = gridCells(results).find(({ id }) => id === groupId(group));
  if (!cell) return '';
  return `${cell.ratio ? `${spread(cell.ratio, '×')} ` : ''}${serverOf(cell.peer).label}, ${cell.verdict}`;
}

/** Prints each group as it is done, and how long the rest may take at the pace so far. */
function progressOf(all: readonly Work[], results: Results): (work: Work) => void {
  const began = performance.now();
  const whole = estimateSeconds(all);
  const left = new Set(all);
  return (work) => {
    left.delete(work);
    const elapsed = (performance.now() - began) / 1000;
    const planned = estimateSeconds([...left]);
    // What was planned of the past is known to be too little or too much only after a while.
    const slowness = whole - planned > 20 ? elapsed / (whole - planned) : 1;
    const rest = left.size === 0 ? '' : `, ${duration(planned * slowness)} to go`;
    const count = `${all.length - left.size} of ${all.length}`;
    console.log(`# ${count}, ${duration(elapsed)}${rest}: ${groupId(work.group)}: ${standing(results, work.group)}`);
  };
}

async function main(): Promise<void> {
  await ensureWrk();
  const began = performance.now();
  const machine = await machineNow();
  if (values.fresh) rmSync(file, { force: true });
  const results = readResults(file, machine);
  if (values.report) return writePage(results);
  if (machine.cores < 2) throw new Error('two processors are needed: one for the server, one for its clients');
  if (!existsSync(bundle)) throw new Error('bundle first: node scripts/bundle.ts serving-image');
  console.log(`# ${machine.cores} × ${machine.processor}; load average ${loadavg()[0]?.toFixed(2)}`);
  const build = createHash('sha256').update(readFileSync(bundle)).digest('hex').slice(0, 12);
  const groups = (values.grid ? gridGroups() : quickGroups()).filter((group) => groupId(group).includes(values.only));
  const usual = values.grid ? GRID_PACE : QUICK_PACE;
  const pace = { seconds: Number(values.seconds ?? usual.seconds), rounds: Number(values.rounds ?? usual.rounds) };
  const work = openWork(groups, results, build, pace);
  const again = (): Work[] => (values.grid ? undecidedWork(results, groups, build) : []);
  tellPlan(groups, work, again(), areStartsMissing(results, build));
  if (values.plan) return;
  const models = await ensureModels();
  await noteVersions(results, groups);
  await convertIfMissing(results);
  const station = openStation();
  const measureAll = (list: readonly Work[]): Promise<void> => {
    const progress = progressOf(list, results);
    const onMeasured = (done: Work): void => {
      writeResults(file, results);
      progress(done);
    };
    return measure(list, { station, models, results, build, onMeasured });
  };
  try {
    if (areStartsMissing(results, build)) await measureAllStarts(results, station, build);
    await measureAll(work);
    const open = again();
    if (open.length > 0) console.log(`# ${open.length} cells are undecided: measured again, longer`);
    await measureAll(open);
  } finally {
    await station.close();
  }
  writePage(results);
  console.log(`# it took ${duration((performance.now() - began) / 1000)}`);
}

function tellPlan(groups: readonly Group[], work: readonly Work[], again: readonly Work[], withStarts: boolean): void {
  const starts = withStarts ? startsSeconds(Number(values.runs), Number(values['peer-runs'])) : 0;
  const seconds = estimateSeconds(work) + estimateSeconds(again) + starts;
  const kept = groups.length - work.length;
  console.log(
    `# ${work.length} groups to measure${kept > 0 ? `, ${kept} are there already` : ''}; some ${duration(seconds)} on a quiet machine`,
  );
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
await main();
