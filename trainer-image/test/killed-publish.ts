/** `publish`, but killed without a word (SIGKILL) right after the step whose number is in KILL_AFTER_STEP. */
import { createLog } from '../src/log.ts';
import { runPublish } from '../src/publish/run.ts';

let step = 0;
await runPublish(createLog('publish'), process.env, (name) => {
  if (String(++step) !== process.env['KILL_AFTER_STEP']) return;
  process.stderr.write(name);
  process.kill(process.pid, 'SIGKILL');
  // The signal is not always delivered before the next line would run.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
process.exit(0);
