/**
 * What the registry holds in memory while large artifacts stream through it, and how fast they do: up with and without a
 * length, and down. Fails when it holds more than the promised 150 MB.
 * Usage: node bench/registry-stream.ts [--mib=1024] [--node-options="…"]   (bundle first, as the image does: node
 * scripts/bundle.ts registry; compiling TypeScript at start costs memory that no image spends)
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '../database/testing/postgres.ts';
import { startMinio } from '../object-store/testing/minio.ts';
import { type Server, startSlipway } from './registry/servers.ts';

/** As the image sets them. */
const IMAGE_OPTIONS = '--max-semi-space-size=2';
const LIMIT_MB = 150;
const MIB = 1024 * 1024;
const { values } = parseArgs({
  options: { mib: { type: 'string', default: '1024' }, 'node-options': { type: 'string', default: IMAGE_OPTIONS } },
});
const mib = Number(values.mib);
const bundle = join(import.meta.dirname, '../registry/dist/main.mjs');
const program = existsSync(bundle) ? bundle : join(import.meta.dirname, '../registry/src/main.ts');
const path = `/api/2.0/mlflow-artifacts/artifacts/0/${'a'.repeat(32)}/artifacts/large.bin`;

/** The same bytes every time, none of them made while somebody waits. */
const piece = Buffer.alloc(MIB, 'slipway streams');
const pieces = (): Readable => Readable.from(Array.from({ length: mib }, () => piece));
const digest = createHash('sha256');
for (let i = 0; i < mib; i++) digest.update(piece);
const expected = digest.digest('hex');

async function up({ port }: Server, headers: http.OutgoingHttpHeaders): Promise<void> {
  const request = http.request({ port, path, method: 'PUT', headers, agent: false });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
  });
  await pipeline(pieces(), request);
  const { statusCode } = (await answered).resume();
  if (statusCode !== 200) throw new Error(`the upload was answered with ${statusCode}`);
}

async function down({ port }: Server): Promise<void> {
  const hash = createHash('sha256');
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ port, path, agent: false }, resolve).on('error', reject);
  });
  await pipeline(response, hash);
  if (hash.digest('hex') !== expected) throw new Error('what came back is not what was sent');
}

interface Figures {
  readonly seconds: number;
  readonly peakMb: number;
}

async function measured(server: Server, work: () => Promise<void>): Promise<Figures> {
  let peak = server.memory();
  const timer = setInterval(() => {
    peak = Math.max(peak, server.memory());
  }, 50);
  const started = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { seconds: (performance.now() - started) / 1000, peakMb: (peak * MIB) / 1e6 };
}

const postgres = await startPostgres();
const minio = await startMinio();
try {
  const stores = { postgres: await postgres.freshDatabase(), storage: await minio.freshBucket() };
  const server = await startSlipway(
    stores,
    values['node-options'].split(' ').filter((option) => option !== ''),
    program,
  );
  try {
    console.log(`idle: ${((server.memory() * MIB) / 1e6).toFixed(0)} MB`);
    const steps: readonly (readonly [string, () => Promise<void>])[] = [
      ['up, length known', () => up(server, { 'content-length': mib * MIB })],
      ['up, length unknown', () => up(server, {})],
      ['down', () => down(server)],
      [
        'up and down at once',
        async () => void (await Promise.all([down(server), up(server, { 'content-length': mib * MIB })])),
      ],
    ];
    for (const [what, work] of steps) {
      const { seconds, peakMb } = await measured(server, work);
      console.log(
        `${what}: ${mib} MiB in ${seconds.toFixed(1)} s (${(mib / seconds).toFixed(0)} MiB/s), at most ${peakMb.toFixed(0)} MB resident`,
      );
      if (peakMb > LIMIT_MB) {
        process.exitCode = 1;
        console.log(`  more than the promised ${LIMIT_MB} MB`);
      }
    }
  } finally {
    await server.stop();
  }
} finally {
  await minio.stop();
  await postgres.stop();
}
