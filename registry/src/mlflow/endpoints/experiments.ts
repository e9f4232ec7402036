/** Experiments: made, read, renamed, deleted and restored, tagged. None of it is open to the token of one run but reading. */
import type { ExperimentOutcome } from '@slipway/database';
import { z } from 'zod';
import { ApiError, invalid, missing } from '../../errors.ts';
import { keyValues, requiredText, text } from '../../http/parameters.ts';
import { checkArtifactLocation } from '../artifact-location.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { experimentJson } from '../entities/experiment.ts';
import { checkExperimentTag, checkKeysOnce, checkLength, experimentIdFrom } from '../limits.ts';

/** The refusal for an experiment that is not there. */
export const noExperiment = (id: string): ApiError => missing(`No Experiment with id=${id} exists`);
/** The refusal to write to a deleted experiment. */
export const experimentNotActive = (id: string): ApiError =>
  invalid(`The experiment ${id} must be in the 'active' state. Current state is deleted.`);

const nameTaken = (name: string) => new ApiError('RESOURCE_ALREADY_EXISTS', `Experiment(name=${name}) already exists.`);

/** Goes on when the experiment was active. */
function expectActive(outcome: ExperimentOutcome, id: string): void {
  if (outcome === 'missing') throw noExperiment(id);
  if (outcome === 'deleted') throw experimentNotActive(id);
}

const experimentId = () => requiredText().transform(experimentIdFrom);

const creating = ({ tracking, artifacts }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'experiments/create',
    access: 'write',
    request: z.object({ name: requiredText(), artifact_location: text(), tags: keyValues() }),
    async answer({ namespace }, { name, artifact_location, tags }) {
      checkLength('name', 500, name);
      const artifactLocation = artifact_location || undefined;
      if (artifactLocation) checkArtifactLocation(artifactLocation, { bucket: artifacts.bucket, namespace });
      tags.forEach(checkExperimentTag);
      checkKeysOnce(tags);
      const id = await tracking.createExperiment(namespace, { name, artifactLocation, tags });
      if (id === undefined) throw nameTaken(name);
      return { experiment_id: id };
    },
  });

const reading = ({ tracking }: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'GET',
    path: 'experiments/get',
    access: 'read',
    request: z.object({ experiment_id: experimentId() }),
    async answer({ namespace }, { experiment_id }) {
      const [experiment] = await tracking.experimentsById(namespace, [experiment_id]);
      if (!experiment) throw noExperiment(experiment_id);
      return { experiment: experimentJson(experiment) };
    },
  }),
  endpoint({
    method: 'GET',
    path: 'experiments/get-by-name',
    access: 'read',
    request: z.object({ experiment_name: requiredText() }),
    async answer({ namespace }, { experiment_name }) {
      const experiment = await tracking.experimentByName(namespace, experiment_name);
      if (!experiment) throw missing(`Could not find experiment with name '${experiment_name}'`);
      return { experiment: experimentJson(experiment) };
    },
  }),
];

const changing = ({ tracking }: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'POST',
    path: 'experiments/update',
    access: 'write',
    request: z.object({ experiment_id: experimentId(), new_name: requiredText() }),
    async answer({ namespace }, { experiment_id, new_name }) {
      checkLength('name', 500, new_name);
      const outcome = await tracking.renameExperiment(namespace, experiment_id, new_name);
      if (outcome === 'name-taken') throw nameTaken(new_name);
      if (outcome === 'deleted') throw invalid('Cannot rename a non-active experiment.');
      expectActive(outcome, experiment_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'experiments/delete',
    access: 'write',
    request: z.object({ experiment_id: experimentId() }),
    async answer({ namespace }, { experiment_id }) {
      const outcome = await tracking.deleteExperiment(namespace, experiment_id);
      if (outcome === 'busy')
        throw new ApiError(
          'RESOURCE_CONFLICT',
          `A TrainingJob is training a run of experiment ${experiment_id}: delete the experiment when that run has ended, or delete the TrainingJob first.`,
        );
      if (outcome === 'missing') throw noExperiment(experiment_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'experiments/restore',
    access: 'write',
    request: z.object({ experiment_id: experimentId() }),
    async answer({ namespace }, { experiment_id }) {
      if ((await tracking.restoreExperiment(namespace, experiment_id)) === 'missing') throw noExperiment(experiment_id);
      return {};
    },
  }),
];

const tagging = ({ tracking }: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'POST',
    path: 'experiments/set-experiment-tag',
    access: 'write',
    request: z.object({ experiment_id: experimentId(), key: requiredText(), value: text() }),
    async answer({ namespace }, { experiment_id, key, value = '' }) {
      checkExperimentTag({ key, value });
      expectActive(await tracking.setExperimentTag(namespace, experiment_id, { key, value }), experiment_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'experiments/delete-experiment-tag',
    access: 'write',
    request: z.object({ experiment_id: experimentId(), key: requiredText() }),
    async answer({ namespace }, { experiment_id, key }) {
      const outcome = await tracking.deleteExperimentTag(namespace, experiment_id, key);
      if (outcome === 'tag-missing') throw missing(`No tag with name: ${key} in experiment with id ${experiment_id}`);
      expectActive(outcome, experiment_id);
      return {};
    },
  }),
];

export const experimentsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  creating(deps),
  ...reading(deps),
  ...changing(deps),
  ...tagging(deps),
];
