/** A version of a registered model as MLflow's clients read it. */
import type { VersionEntity } from '@slipway/database';
import { clientUri } from '../../artifacts/location.ts';
import { unlessEmpty } from '../../http/parameters.ts';

/** Where the bytes of a namespace lie: what is there is told by paths that every client of the namespace can read. */
export interface Place {
  readonly bucket: string;
  readonly namespace: string;
}

/** Aliases are sent when the entity has any: of searches and of a model's newest versions MLflow leaves them out. */
export const modelVersionJson = (version: VersionEntity, place: Place): object => ({
  name: version.model,
  version: String(version.version),
  creation_timestamp: version.creationTime,
  last_updated_timestamp: version.lastUpdatedTime,
  current_stage: version.stage,
  description: version.description,
  source: version.clientSource ?? clientUri(version.sourceUri, place),
  run_id: version.runId ?? '',
  status: version.status,
  status_message: version.statusMessage || undefined,
  tags: unlessEmpty(version.tags),
  run_link: version.runLink,
  aliases: unlessEmpty(version.aliases),
});
