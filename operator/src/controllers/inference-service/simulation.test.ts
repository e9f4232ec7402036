/**
 * Decisions in a row against a small made-up cluster: whatever is wished for, in whatever order, and however versions
 * fail, what answers goes on answering and the wishes come to rest.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type Decision, decide } from './decide.ts';
import type { PodFacts } from './pods.ts';
import { releaseBefore } from './probation.ts';
import { isSame, type Release } from './release.ts';
import type { DeploymentFacts, Memory, Situation } from './situation.ts';
import type { VersionFacts } from './versions.ts';

/** How a version behaves: it works, never starts, loads for ever, or dies of its requests once it answers. */
type Health = 'good' | 'broken' | 'endless' | 'dying';
const HEALTH: Readonly<Record<number, Health>> = {
  1: 'good',
  2: 'broken',
  3: 'endless',
  4: 'dying',
  5: 'good',
  6: 'dying',
};
const WISHES = ['latest', 1, 2, 3, 4, 5, 6] as const;
const DEADLINE_SECONDS = 60;
const STEP_SECONDS = 10;

const release = (version: number): Release => {
  const digest = String(version).repeat(64);
  const files = [{ path: 'model.onnx', sha256: digest, size: 1 }];
  return { version, digest, artifact: { uri: `s3://b/ns/${version}`, files, digest } };
};
const versions: readonly VersionFacts[] = [6, 5, 4, 3, 2, 1].map((version) => ({
  ...{ version, release: release(version), isReady: true, isDeleting: false },
  ...{ stage: 'None', aliases: [], reason: 'Verified', message: 'ok' },
}));

/** Always the same numbers for a seed. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface World {
  wish: number | string;
  seconds: number;
  memory: Memory;
  deployment?: DeploymentFacts;
  pods: readonly PodFacts[];
  applies: number;
}

const at = (seconds: number) => new Date(Date.parse('2026-01-01T00:00:00Z') + seconds * 1000).toISOString();

const situationOf = ({ wish, seconds, memory, deployment, pods }: World): Situation => ({
  wanted: {
    ...{ namespace: 'ns', name: 'iris', model: 'iris', version: wish, replicas: 1 },
    ...{ progressDeadlineSeconds: DEADLINE_SECONDS, settings: 's' },
  },
  ...{ versions, pods, memory, now: new Date(at(seconds)) },
  ...(deployment && { deployment }),
});

/** What the status keeps of a decision. */
function written(memory: Memory, { serving, rejected, rollout }: Decision, now: string): Memory {
  const isNew = serving && serving.version !== memory.serving?.version;
  const previous = isNew ? memory.serving?.version : memory.previous;
  return {
    ...(serving && { serving, since: isNew ? now : (memory.since ?? now) }),
    ...(previous !== undefined && { previous }),
    ...(rollout && { rollout }),
    rejected,
  };
}

/** One turn of the operator: what is new is written down, else it is acted upon. */
function turn(world: World): void {
  const decision = decide(situationOf(world));
  const { memory } = world;
  const isNews = !isDeepStrictEqual([decision.serving, decision.rejected], [memory.serving, memory.rejected]);
  world.memory = written(memory, decision, at(world.seconds));
  // The next turn follows at once.
  if (isNews) {
    turn(world);
    return;
  }
  const { act } = decision;
  if (act.do === 'delete') {
    delete world.deployment;
    world.pods = [];
  }
  if (act.do !== 'apply' || isSame(act.release, world.deployment?.release)) return;
  world.applies += 1;
  const template = `t${world.applies}`;
  world.deployment = { release: act.release, template, isCurrent: true, replicas: 1, isRolledOut: false };
  const { version, digest } = act.release;
  const pod = { version, digest, template, createdAt: at(world.seconds), isReady: false };
  world.pods = [...world.pods.filter(({ isReady }) => isReady), pod];
}

/** What the cluster makes of a pod within a step. */
function evolved(pod: PodFacts, { seconds, memory, deployment }: World): PodFacts {
  const health = HEALTH[pod.version];
  const now = at(seconds);
  if (health === 'broken') return { ...pod, fault: { reason: 'InvalidModel', message: 'broken', at: now } };
  if (health === 'endless') return { ...pod, loadingSince: pod.createdAt };
  const dies = health === 'dying' && pod.isReady && deployment?.isRolledOut && memory.serving?.version === pod.version;
  return { ...pod, isReady: true, ...(dies && { crash: { reason: 'OutOfMemory', message: 'died', at: now } }) };
}

function cluster(world: World): void {
  world.pods = world.pods.map((pod) => evolved(pod, world));
  const { deployment } = world;
  const isUp = world.pods.some(({ isReady, template }) => isReady && template === deployment?.template);
  if (!deployment || !isUp) return;
  world.deployment = { ...deployment, isRolledOut: true };
  world.pods = world.pods.filter(({ template }) => template === deployment.template);
}

const deployed = ({ deployment }: World) => deployment?.release?.version;

for (let seed = 1; seed <= 60; seed++) {
  test(`wishes in any order, series ${seed}: what answers goes on, and it comes to rest`, () => {
    const random = numbersFrom(seed);
    const world: World = { wish: 1, seconds: 0, memory: { rejected: [] }, pods: [], applies: 0 };
    const step = () => {
      turn(world);
      cluster(world);
      world.seconds += STEP_SECONDS;
      if (world.memory.serving)
        assert.ok(
          world.pods.some(({ isReady }) => isReady),
          `nothing answers at ${world.seconds} s`,
        );
    };
    for (let wishes = 0; wishes < 12; wishes++) {
      const steps = Math.floor(random() * 12);
      for (let i = 0; i < steps; i++) step();
      world.wish = WISHES[Math.floor(random() * WISHES.length)] as (typeof WISHES)[number];
      // A service that goes back to a good version now and then, as people do.
      if (random() < 0.3) world.wish = 1;
    }
    for (let i = 0; i < 40; i++) step();
    const { applies } = world;
    for (let i = 0; i < 20; i++) step();
    assert.equal(world.applies, applies, 'it goes on trying');
    const health = HEALTH[deployed(world) as number];
    assert.ok(health === 'good' || health === 'dying', `version ${deployed(world)} is there at last`);
    const { previous, rejected } = world.memory;
    // What answered already when another wish came may have died of it past its probation.
    const isDone = health === 'dying' && deployed(world) === world.wish;
    if (isDone) assert.equal(releaseBefore(versions, previous, rejected), undefined, 'it was not gone back');
    if (typeof world.wish === 'number' && HEALTH[world.wish] === 'good') assert.equal(deployed(world), world.wish);
  });
}
