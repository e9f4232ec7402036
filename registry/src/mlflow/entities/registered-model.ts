/** A registered model as MLflow's clients read it. */
import type { RegisteredModelEntity } from '@slipway/database';
import { unlessEmpty } from '../../http/parameters.ts';
import { modelVersionJson, type Place } from './model-version.ts';

export const registeredModelJson = (model: RegisteredModelEntity, place: Place): object => ({
  name: model.name,
  creation_timestamp: model.creationTime,
  last_updated_timestamp: model.lastUpdatedTime,
  description: model.description || undefined,
  latest_versions: unlessEmpty(
    model.latestVersions.map((version) => modelVersionJson({ ...version, aliases: [] }, place)),
  ),
  tags: unlessEmpty(model.tags),
  aliases: unlessEmpty(model.aliases.map(({ alias, version }) => ({ alias, version: String(version) }))),
});
