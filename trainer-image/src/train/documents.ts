/** Every file that tells of a trained model, as text or bytes under its path below the output folder. */
import {
  EXAMPLES_FILE,
  HELD_OUT_FILE,
  METRICS_FILE,
  MODEL_FILE,
  PARAMS_FILE,
  PROFILE_FILE,
  SIGNATURE_FILE,
  TARGET_COLUMN,
} from '@slipway/contract';
import { confusionMatrix } from '../evaluate/classification.ts';
import type { Table } from '../model.ts';
import type { Answers } from './answers.ts';
import { csvRow } from './csv.ts';
import { importancesOf } from './importance.ts';
import { profileOf } from './profile.ts';
import { spread, valueAt } from './rows.ts';
import type { Trained } from './train.ts';

export interface Document {
  readonly path: string;
  readonly content: string | Uint8Array;
}

/** So many validation rows are written out; of more, rows spread evenly over them. */
const MOST_ROWS = 20_000;
/** Whoever reads the held-out rows takes 64 MiB. */
const MOST_BYTES = 60 * 2 ** 20;

const IMPORTANCE = 'artifacts/feature_importance.json';
const CONFUSION = 'artifacts/confusion_matrix';
const RESIDUALS = 'artifacts/residuals.csv';

/** All that there may be. */
export const DOCUMENT_PATHS: readonly string[] = [
  ...[MODEL_FILE, SIGNATURE_FILE, EXAMPLES_FILE, METRICS_FILE, PARAMS_FILE, PROFILE_FILE, HELD_OUT_FILE],
  ...[IMPORTANCE, `${CONFUSION}.json`, `${CONFUSION}.csv`, RESIDUALS],
];

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Feature values as a client would send them under the signature's names; a missing one is an empty cell. */
function heldOut({ features, target }: Table, rows: Int32Array): string {
  const knownAt = (row: number) =>
    target.task === 'classification' ? target.labels[target.ids[row] as number] : target.values[row];
  const lines = spread(rows.length, MOST_ROWS).map((i) => {
    const row = rows[i] as number;
    return csvRow([...features.map((column) => valueAt(column, row)), knownAt(row)]);
  });
  const header = csvRow([...features.map(({ name }) => name), TARGET_COLUMN]);
  return [header, ...fitting(lines, MOST_BYTES)].join('');
}

/** All lines, or as many, spread evenly, as take about so many bytes. */
export function fitting(lines: readonly string[], mostBytes: number): readonly string[] {
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  if (bytes <= mostBytes) return lines;
  return spread(lines.length, Math.floor((lines.length * mostBytes) / bytes)).map((i) => lines[i] as string);
}

function judgement(answers: Answers): Document[] {
  if (answers.task === 'regression') {
    const lines = spread(answers.actual.length, MOST_ROWS).map((i) => {
      const [actual, predicted] = [answers.actual[i] as number, answers.predicted[i] as number];
      return csvRow([actual, predicted, actual - predicted]);
    });
    const content = [csvRow(['actual', 'predicted', 'residual']), ...lines].join('');
    return [{ path: RESIDUALS, content }];
  }
  const { labels } = answers;
  const matrix = confusionMatrix(answers);
  const lines = matrix.map((row, id) => csvRow([labels[id], ...row]));
  return [
    // One row of the matrix to a line, as a person reads it.
    {
      path: `${CONFUSION}.json`,
      content: `{\n  "labels": ${JSON.stringify(labels)},\n  "matrix": [\n    ${matrix.map((row) => JSON.stringify(row)).join(',\n    ')}\n  ]\n}\n`,
    },
    { path: `${CONFUSION}.csv`, content: [csvRow(['actual', ...labels]), ...lines].join('') },
  ];
}

/** The model first. Same table and model, same documents. */
export function documentsFor(table: Table, trained: Trained): Document[] {
  const { split, validation } = trained;
  return [
    { path: MODEL_FILE, content: trained.onnx },
    { path: SIGNATURE_FILE, content: json(trained.signature) },
    { path: EXAMPLES_FILE, content: json(trained.examples) },
    { path: METRICS_FILE, content: json(trained.metrics) },
    { path: PARAMS_FILE, content: json(trained.parameters) },
    { path: PROFILE_FILE, content: json(profileOf(table, split.train)) },
    { path: HELD_OUT_FILE, content: heldOut(table, split.validation) },
    {
      path: IMPORTANCE,
      content: json(importancesOf(trained.model, trained.design, table.features)),
    },
    ...judgement(validation),
  ];
}
