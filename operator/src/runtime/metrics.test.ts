import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

const nothing = { queues: () => new Map(), informers: () => [], sizes: () => [], leading: () => true };

test('runs that ended are counted by why they were started and how they ended; late ones apart', async () => {
  const metrics = createMetrics(nothing);
  metrics.runEnded('Schedule', 'succeeded');
  metrics.runEnded('Schedule', 'succeeded');
  metrics.runEnded('Api', 'failed');
  metrics.slaMissed();
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('slipway_training_'));
  assert.deepEqual(lines, [
    'slipway_training_runs_total{cause="Schedule",outcome="succeeded"} 2',
    'slipway_training_runs_total{cause="Api",outcome="failed"} 1',
    'slipway_training_sla_missed_total 1',
  ]);
});
