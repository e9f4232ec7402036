/** A version's row as a ModelVersion object, and what of it people may change. Pure. */
import type { ModelVersionRow, VersionLabels } from '@slipway/database';
import { API_VERSION } from '../api/meta.ts';
import {
  MAX_ALIASES,
  MAX_DESCRIPTION,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MODEL_LABEL,
  type ModelVersion,
  ModelVersionSpec,
  STAGES,
  SYNCED_ANNOTATION,
  VERSION_LABEL,
} from './model-version/api.ts';
import { modelLabel, modelVersionName } from './model-version/names.ts';
import { TRAINING_JOB_LABEL } from './training-job/names.ts';

const MAX_INPUTS = 16;
/** All tags of one object together: they stand in the annotation once more, and annotations are bounded. */
const TAGS_BUDGET = 48 * 1024;
const ALIAS_TAKEN = /^([vV][0-9]+|latest)$/i;

export const NO_LABELS: VersionLabels = { stage: 'None', aliases: [], tags: {}, description: '' };

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The labels in one order, so that equal ones are equal text. */
const canonical = ({ stage, aliases, tags, description }: VersionLabels): VersionLabels => ({
  stage,
  aliases: [...new Set(aliases)].sort(inOrder),
  tags: Object.fromEntries(Object.entries(tags).sort(([a], [b]) => inOrder(a, b))),
  description,
});

function fittingTags(tags: VersionLabels['tags']): Record<string, string> {
  let left = TAGS_BUDGET;
  const fitting = Object.entries(tags)
    .sort(([a], [b]) => inOrder(a, b))
    .filter(([key, value]) => {
      if (key === '' || key.length > 250 || value.length > MAX_TAG_LENGTH) return false;
      left -= Buffer.byteLength(JSON.stringify([key, value]));
      return left >= 0;
    });
  return Object.fromEntries(fitting.slice(0, MAX_TAGS));
}

/** The part of a row's labels that an object can hold: the registry may know more and longer ones, which stay there. */
export function projected({ stage, aliases, tags, description }: VersionLabels): VersionLabels {
  return canonical({
    stage: (STAGES as readonly string[]).includes(stage) ? stage : 'None',
    aliases: [...aliases]
      .sort(inOrder)
      .filter((alias) => !ALIAS_TAKEN.test(alias))
      .slice(0, MAX_ALIASES),
    tags: fittingTags(tags),
    description: description.slice(0, MAX_DESCRIPTION).toWellFormed(),
  });
}

/** What an object says now. */
export const labelsOf = ({ stage, aliases, tags, description }: Partial<ModelVersion['spec']>): VersionLabels =>
  canonical({ stage: stage ?? 'None', aliases: aliases ?? [], tags: tags ?? {}, description: description ?? '' });

/** The annotation that says what object and row agreed on. */
export const syncedText = (labels: VersionLabels): string => JSON.stringify(canonical(labels));

const Synced = ModelVersionSpec.pick({ stage: true, aliases: true, tags: true, description: true });

/** What object and row agreed on last; undefined when they never did, or when somebody wrote something else there. */
export function syncedOf({ metadata }: Pick<ModelVersion, 'metadata'>): VersionLabels | undefined {
  const text = metadata.annotations?.[SYNCED_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const { data } = Synced.safeParse(JSON.parse(text));
    return data && labelsOf(data);
  } catch {
    return undefined;
  }
}

/** The spec fields that hold these labels; what is empty is left out. */
export const specOf = ({ stage, aliases, tags, description }: VersionLabels) => ({
  stage: stage as (typeof STAGES)[number],
  ...(aliases.length > 0 && { aliases: [...aliases] }),
  ...(Object.keys(tags).length > 0 && { tags: { ...tags } }),
  ...(description !== '' && { description }),
});

/** The object of a row, as it is made. Owned by nobody: the history of a model outlives the TrainingJob that made it. */
export function modelVersionFor(row: ModelVersionRow): ModelVersion {
  const { namespace, model, version, artifact, signature, experimentId, runId, lineage } = row;
  const { inputs, ...origin } = lineage;
  const labels = projected(row);
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
      annotations: { [SYNCED_ANNOTATION]: syncedText(labels) },
    },
    spec: {
      model,
      version,
      source: { uri: row.sourceUri, ...(artifact && { files: artifact.files }) },
      format: row.format,
      ...(signature && { signature }),
      ...(experimentId !== undefined && runId !== undefined && { run: { experimentId, runId } }),
      lineage: { ...origin, ...(inputs && inputs.length <= MAX_INPUTS && { inputs }) },
      ...specOf(labels),
    },
  };
}
