/**
 * From the start of the process to the first prediction, and memory, of the model server and its peers; prints a table and
 * keeps nothing. Usage: node bench/serving/start.ts [--runs=15] [--peer-runs=3] [--servers=slipway,express]
 * Bundle first: node scripts/bundle.ts serving-image
 */
import { parseArgs } from 'node:util';
import { ensureModels } from './models.ts';
import { startTable } from './report.ts';
import { measureStarts } from './starts.ts';
import { openStation } from './station.ts';
import { ensureWrk } from './wrk.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    'peer-runs': { type: 'string', default: '3' },
    servers: { type: 'string', default: '' },
  },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
await ensureWrk();
const { lr } = await ensureModels();
const station = openStation();
try {
  const only = values.servers.split(',').filter((name) => name !== '');
  const runs = { runs: Number(values.runs), peerRuns: Number(values['peer-runs']) };
  console.log(startTable(await measureStarts({ station, model: lr, only, ...runs })));
} finally {
  await station.close();
}
