/**
 * A forest of forty megabytes takes the runtime seconds to load: probes are answered all the while. One in a hundred may
 * be late, where the machine has other things to do.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { filesOf, modelFolder } from './folder.ts';
import { forest } from './forest.ts';
import { run, serveEnv } from './program.ts';

const LATE_MS = 300;
const NEVER_MS = 1500;

describe('while a forest of forty megabytes is loaded, probes are answered at once', () => {
  for (const [engine, expected] of [
    ['onnxruntime', /^onnxruntime-worker$/],
    ['auto', /^compiled$/],
  ] as const) {
    test(`engine ${engine}`, async (t) => {
      const folder = await modelFolder(t, filesOf({ onnx: forest(300, 11) }));
      const settings = { SERVE_SETTINGS: JSON.stringify({ engine }) };
      const program = await run(t, 'serve', { ...serveEnv(folder), ...settings });
      const { port } = await program.logged('listening');
      let isReady = false;
      const ready = program.logged('ready').finally(() => {
        isReady = true;
      });
      const started = performance.now();
      const times: number[] = [];
      while (!isReady) {
        const begin = performance.now();
        const response = await fetch(`http://127.0.0.1:${port}/livez`);
        assert.equal(response.status, 200);
        await response.text();
        times.push(performance.now() - begin);
      }
      await ready;
      const took = performance.now() - started;
      const slowest = Math.max(...times);
      const late = times.filter((time) => time > LATE_MS).length;
      const said = `loaded in ${took.toFixed(0)} ms; ${times.length} probes, ${late} late, the slowest took ${slowest.toFixed(0)} ms`;
      t.diagnostic(said);
      assert.ok(late <= times.length / 100 && slowest < NEVER_MS, said);
      const health = (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as { engine: string };
      assert.match(health.engine, expected);
      const response = await fetch(`http://127.0.0.1:${port}/v2/models/iris/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }] }),
      });
      const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
      // Every leaf weighs 1 / trees and every tree gives one.
      assert.ok(Math.abs((outputs[0]?.data[0] as number) - 1) < 1e-3);
    });
  }
});
