/** Whatever happens in whatever order, the operator killed in between: no tick, token or request is lost or run twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '@slipway/database';
import { failedJob, failedPod, START, world } from './testing/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const EVENTS = 60;
const KILLS = 0.3;
type World = ReturnType<typeof world>;

/** Numbers from 0 to below 1 that a seed fixes (Park and Miller). */
function chance(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const search = {
  method: 'grid',
  space: { C: { values: ['1', '2', '3'] } },
  objective: { metric: 'm', goal: 'maximize' },
  ...{ maxTrials: 5, parallelism: 2, seed: 1 },
};

const isSearch = ({ spec }: Run): boolean => (spec as { search?: object }).search !== undefined;
const rowsOf = (w: World) => [...w.stores.runs.values()];
const goingOn = (w: World) => rowsOf(w).filter((run) => run.status === 'RUNNING' && !isSearch(run));

const publish = (w: World, { runKey, parentRunKey }: Run) =>
  parentRunKey === undefined ? w.publish(runKey) : w.stores.publishTrial(runKey, 'iris', { m: runKey.length });

function fail(w: World, { runKey, runId }: Run): void {
  if (!w.jobOf(runKey)) return;
  w.addPod(runKey, failedPod('trainer', { exitCode: 3 }), `pod-${runId}`);
  w.setJob(runKey, failedJob());
}

/** One thing that somebody does, or time that passes. */
function happen(w: World, random: () => number, n: number): void {
  const what = random();
  if (what < 0.5) w.clock.now += Math.floor(random() * (random() < 0.15 ? 6 * HOUR : 50 * MINUTE));
  else if (what < 0.6) w.annotate(`token-${n}`);
  else if (what < 0.7) {
    // No two at the same moment: by it they are told apart in what is said of them.
    w.clock.now += 1_000;
    w.ask(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
  } else {
    const going = goingOn(w);
    const run = going[Math.floor(random() * going.length)];
    if (run) (random() < 0.5 ? publish : fail)(w, run);
  }
}

/** All that goes on comes to its end, and whatever waited for it. */
async function comeToRest(w: World): Promise<void> {
  do {
    for (const run of goingOn(w)) publish(w, run);
    for (let look = 0; look < 3; look += 1) await w.turn();
  } while (goingOn(w).length > 0);
}

const overlaps = (runs: readonly Run[]): boolean =>
  runs
    .toSorted((a, b) => a.startTime.localeCompare(b.startTime))
    // One that starts in the look that ends the other starts a millisecond after that one's start.
    .some(({ startTime }, at, all) => Date.parse(startTime) + 1_000 < Date.parse(all[at - 1]?.endTime ?? startTime));

for (const [seed, concurrencyPolicy] of ['Forbid', 'Allow', 'Replace', 'Forbid', 'Replace', 'Forbid'].entries()) {
  test(`by chance, ${concurrencyPolicy}, seed ${seed}: every tick was run or counted, every request answered, and then it is quiet`, async () => {
    const random = chance(seed * 7_919);
    const base = { schedule: '0 * * * *', deadline: '200h', sla: '30m', concurrencyPolicy };
    const w = world({ ...base, ...(seed > 2 && { search }) });
    let kills = 0;
    const mayDie = () => {
      if (random() < kills) throw new Error('killed');
    };
    w.kube.onWrite = mayDie;
    w.stores.onWrite = mayDie;
    await w.turn();
    for (let n = 1; n <= EVENTS; n += 1) {
      kills = random() < 0.4 ? KILLS : 0;
      happen(w, random, n);
      for (let looks = Math.ceil(random() * 3); looks > 0; looks -= 1) await w.turn();
    }
    kills = 0;
    await w.turn();
    await comeToRest(w);

    const rows = rowsOf(w);
    const ran = rows.filter(({ cause }) => cause === 'Schedule').length;
    assert.equal(ran + (w.read().status?.missedRuns ?? 0), Math.floor((w.clock.now - START) / HOUR));
    assert.deepEqual(
      w.stores.requests.filter(({ runId }) => runId === undefined),
      [],
    );
    assert.deepEqual(
      rows.filter(({ status }) => status === 'RUNNING'),
      [],
    );
    if (concurrencyPolicy === 'Forbid') {
      assert.ok(!overlaps(rows.filter(({ parentRunKey }) => parentRunKey === undefined)), 'two went on at once');
    }
    const late = w.events('SlaMissed').map(({ note }) => note);
    assert.deepEqual(late, [...new Set(late)]);
    w.kube.calls.length = 0;
    w.stores.writes.length = 0;
    await w.turn();
    assert.deepEqual([w.kube.calls, w.stores.writes], [[], []]);
  });
}
