/**
 * Our registry beside a real `mlflow server`: the same calls, in turn, on the same machine and Postgres, each with a
 * database of its own; and memory. With `--only=scale` or SLIPWAY_BENCH_SCALE=1, which takes minutes to make: our registry
 * alone with a million versions and ten million metric points.
 * Usage: node bench/registry.ts [--quick] [--only=compare|scale] [--operations=search,create-run] [--seconds=4]
 * Only ratios mean something: servers, database and clients share whatever processors there are.
 */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { startPostgres } from '../database/testing/postgres.ts';
import { startMinio } from '../object-store/testing/minio.ts';
import { compare } from './registry/compare.ts';
import { measureScale } from './registry/scale.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    operations: { type: 'string', default: '' },
    seconds: { type: 'string' },
    'node-options': { type: 'string', default: '' },
  },
});
const nodeOptions = values['node-options'].split(' ').filter((option) => option !== '');
const seconds = Number(values.seconds ?? (values.quick ? 2 : 4));

const postgres = await startPostgres();
const minio = await startMinio();
try {
  console.log(
    `machine: ${cpus()[0]?.model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}`,
  );
  if (values.only !== 'scale') {
    await compare(postgres, minio, {
      seconds,
      rounds: values.quick ? 1 : 3,
      only: values.operations.split(',').filter((name) => name !== ''),
      nodeOptions,
    });
  }
  const wantsScale = values.only === 'scale' || (!values.only && process.env['SLIPWAY_BENCH_SCALE'] === '1');
  if (wantsScale) await measureScale(postgres, minio, { seconds, quick: values.quick, nodeOptions });
} finally {
  await minio.stop();
  await postgres.stop();
}
