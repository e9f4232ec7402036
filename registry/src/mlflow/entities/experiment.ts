import type { ExperimentEntity } from '@slipway/database';
import { unlessEmpty } from '../../http/parameters.ts';

/** An experiment as MLflow's clients read it. */
export const experimentJson = (experiment: ExperimentEntity): object => ({
  experiment_id: experiment.experimentId,
  name: experiment.name,
  artifact_location: experiment.artifactLocation,
  lifecycle_stage: experiment.lifecycleStage,
  last_update_time: experiment.lastUpdateTime,
  creation_time: experiment.creationTime,
  tags: unlessEmpty(experiment.tags),
  // MLflow's own workspaces are another thing than our namespaces: a server has the one it calls default.
  workspace: 'default',
});
