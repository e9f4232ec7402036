/** The operator killed between any two of its writes: every story comes to the same end, with every run made once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKeyFor, trialKeyFor } from '@slipway/contract';
import { jobKey } from './names.ts';
import { firstRun, key, START, world } from './testing/world.ts';

const HOUR = 3_600_000;
type World = ReturnType<typeof world>;
const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

/** What a story is judged by: what lasts. Events may be lost with the process that was to tell them. */
function lasting(w: World): object {
  const { conditions, runs, missedRuns, ticksSettledUntil, score } = w.read().status ?? {};
  return {
    rows: [...w.stores.runs.values()]
      .map(({ runKey, status, cause, parameters, version }) => ({ runKey, status, cause, parameters, version }))
      .sort((a, b) => a.runKey.localeCompare(b.runKey)),
    versions: w.stores.versions.map(({ version }) => version),
    objects: [...w.kube.objects.keys()].sort(),
    requests: w.stores.requests.map(({ runId, refused }) => ({ runId, refused })),
    conditions: conditions?.map(({ type, status, reason, message }) => ({ type, status, reason, message })),
    runs: runs?.map(({ runKey, cause, version, trials }) => ({ runKey, cause, version, trials })),
    ...{ missedRuns, ticksSettledUntil, score },
  };
}

/** Two looks of an operator: what one leaves is seen by the next. */
const settle = async (w: World) => {
  await w.turn();
  await w.turn();
};

interface Story {
  readonly name: string;
  readonly spec?: object;
  readonly steps: readonly ((w: World) => void)[];
}

const open = (w: World) =>
  [...w.stores.runs.values()].filter(
    ({ status, spec }) => status === 'RUNNING' && !(spec as { search?: object }).search,
  );
/** Whatever goes on publishes, once. */
const publishAll = (w: World) => {
  for (const { runKey, parentRunKey, parameters } of open(w)) {
    const metrics = { accuracy: Number(parameters['C'] ?? 1) };
    if (parentRunKey === undefined) w.publish(runKey, metrics);
    else w.stores.publishTrial(runKey, 'iris', metrics);
  }
};

const stories: readonly Story[] = [
  { name: 'created, published', steps: [() => {}, publishAll] },
  {
    name: 'changed while it runs',
    steps: [() => {}, (w) => w.change({ parameters: { C: '2' } }), publishAll],
  },
  {
    name: 'a tick, hours of absence, another tick',
    spec: { schedule: '0 * * * *', sla: '10m' },
    steps: [
      () => {},
      (w) => {
        w.clock.now = START + HOUR;
      },
      publishAll,
      (w) => {
        w.clock.now = START + 5 * HOUR;
      },
      publishAll,
    ],
  },
  {
    name: 'ticks that replace',
    spec: { schedule: '0 * * * *', concurrencyPolicy: 'Replace' },
    steps: [1, 2, 3].map((hour) => (w: World) => {
      w.clock.now = START + hour * HOUR;
    }),
  },
  {
    name: 'a token, two requests and one that cannot be, one after another',
    spec: { schedule: '0 3 * * *' },
    steps: [
      (w) => {
        w.annotate('{"token":"x","parameters":{"C":"3"}}');
        if (w.stores.requests.length > 0) return;
        w.ask(id(1), { C: '2' });
        w.ask(id(2), { C: 'nonsense' });
        w.ask(id(3));
      },
      publishAll,
      publishAll,
      publishAll,
    ],
  },
  {
    name: 'a request when all is quiet',
    steps: [() => {}, publishAll, (w) => w.ask(id(1), { C: '2' }), publishAll],
  },
  {
    name: 'a tick, a token and a request at the same time, side by side',
    spec: { schedule: '0 * * * *', concurrencyPolicy: 'Allow' },
    steps: [
      () => {},
      (w) => {
        w.clock.now = START + HOUR;
        w.annotate('x');
        w.ask(id(1), {}, new Date(START));
      },
      publishAll,
    ],
  },
  {
    name: 'a search',
    spec: {
      search: {
        ...{ method: 'grid', space: { C: { values: ['1', '2', '3'] } }, maxTrials: 9, parallelism: 2, seed: 1 },
        objective: { metric: 'accuracy', goal: 'maximize' },
      },
    },
    steps: [() => {}, publishAll, publishAll],
  },
  {
    name: 'a search that is changed',
    spec: {
      search: {
        ...{ method: 'grid', space: { C: { values: ['1', '2'] } }, maxTrials: 9, parallelism: 2, seed: 1 },
        objective: { metric: 'accuracy', goal: 'maximize' },
      },
    },
    steps: [() => {}, (w) => w.change({ search: undefined, parameters: { C: '4' } }), publishAll],
  },
];

/** Tells a story; the operator dies at its n-th write of the given step and is started again. */
async function told(story: Story, dies?: { readonly step: number; readonly write: number }) {
  const w = world(story.spec);
  // Runs are compared by what they are, not by the moment of their start.
  let writes = 0;
  let hasDied = false;
  for (const [index, step] of story.steps.entries()) {
    step(w);
    if (dies?.step === index) {
      writes = 0;
      const die = () => {
        if (hasDied || writes++ === dies.write) {
          hasDied = true;
          throw new Error('killed');
        }
      };
      w.kube.onWrite = die;
      w.stores.onWrite = die;
      await settle(w);
      w.kube.onWrite = () => {};
      w.stores.onWrite = () => {};
    }
    await settle(w);
  }
  return { w, hasDied };
}

for (const story of stories) {
  test(`${story.name}: killed at any write, the same runs, Jobs, versions and status`, async () => {
    const expected = lasting((await told(story)).w);
    let deaths = 0;
    for (const step of story.steps.keys()) {
      for (let write = 0; ; write++) {
        const { w, hasDied } = await told(story, { step, write });
        if (!hasDied) break;
        deaths += 1;
        assert.deepEqual(lasting(w), expected, `killed at write ${write} of step ${step}`);
      }
    }
    assert.ok(deaths >= story.steps.length, `only ${deaths} deaths`);
  });
}

test('killed at any write of a deletion: nothing stays open', async () => {
  const spec = { ...stories.find(({ name }) => name === 'a search')?.spec };
  for (let write = 0; write < 8; write++) {
    const w = world(spec);
    await settle(w);
    w.ask(id(1));
    w.change({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    let left = write;
    const die = () => {
      if (left-- <= 0) throw new Error('killed');
    };
    w.kube.onWrite = die;
    w.stores.onWrite = die;
    await w.turn();
    w.kube.onWrite = () => {};
    w.stores.onWrite = () => {};
    await w.turn();
    const rows = [...w.stores.runs.values()].map(({ status }) => status);
    assert.deepEqual(rows, ['KILLED', 'KILLED', 'KILLED'], `write ${write}`);
    assert.deepEqual(w.jobs(), []);
    assert.match(w.stores.requests[0]?.refused ?? '', /deleted/);
  }
});

test('whatever dies, a run has one Job', async () => {
  const w = world();
  await settle(w);
  const name = jobKey({ metadata: key }, firstRun).name;
  assert.deepEqual(w.jobs(), [name]);
  assert.notEqual(
    jobKey({ metadata: key }, trialKeyFor(firstRun, 1)).name,
    jobKey({ metadata: key }, trialKeyFor(firstRun, 11)).name,
  );
  assert.notEqual(name, jobKey({ metadata: key }, runKeyFor('u1', { kind: 'manual', token: '1' })).name);
});
