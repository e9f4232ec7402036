/** What a run was given (data sets, models) and what it made (models). */
import type { DatasetInput } from '@slipway/database';
import { z } from 'zod';
import { integer, keyValues, list, requiredText, text } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import { checkLength, checkRunId } from '../limits.ts';
import { expectActiveRun, ofRun, runOwner } from '../run-of.ts';

const datasets = () =>
  list(
    z.object({
      tags: keyValues(),
      dataset: z.object({
        name: requiredText(),
        digest: requiredText(),
        source_type: text(),
        source: text(),
        schema: text(),
        profile: text(),
      }),
    }),
  );

const modelId = () => requiredText().max(500, 'type');

/** The data set as it is kept; throws for one that is larger than MLflow allows. */
function datasetFrom({ tags, dataset }: z.output<ReturnType<typeof datasets>>[number]): DatasetInput {
  checkLength('name', 500, dataset.name);
  checkLength('digest', 36, dataset.digest);
  checkLength('source', 65_535, dataset.source ?? '');
  checkLength('schema', 1_048_575, dataset.schema ?? '');
  checkLength('profile', 16_777_215, dataset.profile ?? '');
  for (const { key, value } of tags) {
    checkLength('key', 255, key);
    checkLength('value', 500, value);
  }
  const { name, digest, source_type: sourceType = '', source = '', schema, profile } = dataset;
  return { name, digest, sourceType, source, schema, profile, tags };
}

export const inputsEndpoints = ({ tracking }: MlflowDeps): readonly Endpoint[] => {
  const runOf = (call: Call, { run_id }: { run_id: string }) => runOwner(tracking, call, run_id);
  return [
    endpoint({
      method: 'POST',
      path: 'runs/log-inputs',
      access: 'write',
      request: ofRun({ datasets: datasets(), models: list(z.object({ model_id: modelId() })) }),
      runOf,
      async answer({ namespace }, { run_id, datasets, models }) {
        checkRunId(run_id);
        const inputs = { datasets: datasets.map(datasetFrom), modelIds: models.map(({ model_id }) => model_id) };
        expectActiveRun(await tracking.logInputs(namespace, run_id, inputs), run_id);
        return {};
      },
    }),
    endpoint({
      method: 'POST',
      path: 'runs/outputs',
      access: 'write',
      request: ofRun({
        models: z.array(z.object({ model_id: modelId(), step: integer() }), {
          error: ({ input }) => (input == null ? 'missing' : 'type'),
        }),
      }),
      runOf,
      async answer({ namespace }, { run_id, models }) {
        const links = models.map(({ model_id, step = 0 }) => ({ modelId: model_id, step }));
        expectActiveRun(await tracking.logOutputs(namespace, run_id, links), run_id);
        return {};
      },
    }),
  ];
};
