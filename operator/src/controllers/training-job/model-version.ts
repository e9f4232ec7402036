/** The ModelVersion object that mirrors a row. Pure. */
import type { ModelVersionRow } from '@slipway/database';
import { API_VERSION } from '../../api/meta.ts';
import { MODEL_LABEL, type ModelVersion, VERSION_LABEL } from '../model-version/api.ts';
import { modelLabel, modelVersionName } from '../model-version/names.ts';
import { TRAINING_JOB_LABEL } from './names.ts';

const MAX_INPUTS = 16;

/** Owned by nobody: the history of a model outlives the TrainingJob that made it. */
export function modelVersionFor(row: ModelVersionRow): ModelVersion {
  const { namespace, model, version, artifact, signature, experimentId, runId, lineage } = row;
  const { inputs, ...origin } = lineage;
  return {
    apiVersion: API_VERSION,
    kind: 'ModelVersion',
    metadata: {
      namespace,
      name: modelVersionName(model, version),
      labels: {
        [MODEL_LABEL]: modelLabel(model),
        [VERSION_LABEL]: String(version),
        ...(lineage.trainingJob !== undefined && { [TRAINING_JOB_LABEL]: lineage.trainingJob }),
      },
    },
    spec: {
      model,
      version,
      source: { uri: row.sourceUri, ...(artifact && { files: artifact.files }) },
      format: row.format,
      ...(signature && { signature }),
      ...(experimentId !== undefined && runId !== undefined && { run: { experimentId, runId } }),
      lineage: { ...origin, ...(inputs && inputs.length <= MAX_INPUTS && { inputs }) },
    },
  };
}
