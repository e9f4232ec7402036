/**
 * Gives every claim of the default StorageClass a folder of this machine, and takes the folder back with the claim.
 * Runs beside the cluster. It compares everything twice a second instead of watching: one node's claims are few, and
 * there is no state to lose.
 */
import { chmod, mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathsFor } from '../paths.ts';
import { type Api, connect } from './api.ts';
import { type Claim, isReclaimable, type Volume, volumeFor, wantsVolume } from './storage.ts';

interface List<T> {
  readonly items: readonly T[];
}

const volumesPath = '/api/v1/persistentvolumes';

async function provision(api: Api, claim: Claim, folder: string): Promise<void> {
  const volume = `${folder}/pvc-${claim.metadata.uid}`;
  await mkdir(volume, { recursive: true });
  await chmod(volume, 0o777);
  const { status, body } = await api.send('POST', volumesPath, volumeFor(claim, folder));
  if (status >= 300 && status !== 409)
    throw new Error(`creating the volume of ${claim.metadata.name}: ${status} ${body}`);
  if (status < 300) console.log(`provisioned ${volume} for ${claim.metadata.namespace}/${claim.metadata.name}`);
}

async function reclaim(api: Api, { metadata, spec }: Volume): Promise<void> {
  // The object goes last: what a crash leaves half-deleted is found again through it.
  await rm(spec.hostPath?.path ?? '', { recursive: true, force: true });
  await api.send('DELETE', `${volumesPath}/${metadata.name}`);
  console.log(`reclaimed ${spec.hostPath?.path}`);
}

async function compare(api: Api, folder: string): Promise<void> {
  // Version 0 reads the server's memory, which may be a moment old: names and phases make acting on that harmless.
  const claims = await api.get<List<Claim>>('/api/v1/persistentvolumeclaims?resourceVersion=0');
  const volumes = await api.get<List<Volume>>(`${volumesPath}?resourceVersion=0`);
  for (const claim of claims?.items.filter(wantsVolume) ?? []) await provision(api, claim, folder);
  for (const volume of volumes?.items.filter((item) => isReclaimable(item, folder)) ?? []) await reclaim(api, volume);
}

const paths = pathsFor({ SLIPWAY_CACHE: process.argv[2] });
const api = await connect(paths);
let complaint = '';
for (;;) {
  const said = await compare(api, paths.volumes).then(
    () => '',
    (error: Error) => error.message,
  );
  if (said !== '' && said !== complaint) console.error(said);
  complaint = said;
  await sleep(500);
}
