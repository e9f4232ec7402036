import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseCluster, type Facts, NoCluster } from './choice.ts';

function facts(changes: Partial<Record<keyof Facts, boolean | string | undefined>> = {}): Facts {
  const answer = (name: keyof Facts, otherwise: boolean): (() => Promise<boolean>) => {
    return async () => (name in changes ? Boolean(changes[name]) : otherwise);
  };
  return {
    currentContextAnswers: answer('currentContextAnswers', true),
    dockerAnswers: answer('dockerAnswers', true),
    kindIsInstalled: answer('kindIsInstalled', true),
    privilegedContainerStarts: answer('privilegedContainerStarts', true),
    localObstacle: async () => changes.localObstacle as string | undefined,
  };
}

test('the current context is used only when asked for', async () => {
  assert.equal((await chooseCluster('current', facts())).kind, 'current');
  assert.notEqual((await chooseCluster(undefined, facts())).kind, 'current');
});

test('a current context that does not answer is an error, not a reason for another cluster', async () => {
  await assert.rejects(chooseCluster('current', facts({ currentContextAnswers: false })), NoCluster);
});

test('kind is used where Docker can start its node', async () => {
  assert.equal((await chooseCluster('auto', facts())).kind, 'kind');
});

for (const missing of ['dockerAnswers', 'kindIsInstalled', 'privilegedContainerStarts'] as const) {
  test(`without ${missing} the cluster is local, and says why`, async () => {
    const choice = await chooseCluster('', facts({ [missing]: false }));
    assert.equal(choice.kind, 'local');
    assert.match(choice.why, /kind|Docker/);
  });

  test(`CLUSTER=kind without ${missing} is an error`, async () => {
    await assert.rejects(chooseCluster('kind', facts({ [missing]: false })), NoCluster);
  });
}

test('CLUSTER=local asks Docker nothing', async () => {
  const asked = facts();
  const never = async (): Promise<boolean> => assert.fail('asked');
  const choice = await chooseCluster('local', { ...asked, dockerAnswers: never, privilegedContainerStarts: never });
  assert.equal(choice.kind, 'local');
});

test('a machine that can run none is told everything that stands in the way', async () => {
  const none = facts({ kindIsInstalled: false, localObstacle: 'it needs root' });
  await assert.rejects(chooseCluster('auto', none), /kind is not installed; it needs root.*CLUSTER=current/);
});

test('an unknown wish is an error', async () => {
  await assert.rejects(chooseCluster('minikube', facts()), /minikube/);
});
