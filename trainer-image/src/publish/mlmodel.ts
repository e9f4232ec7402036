/** The file by which MLflow's clients load the model folder: `mlflow.onnx.load_model`. */
import { type ColumnType, type ModelSignature, type PublishRun, shortHash } from '@slipway/contract';
import { stringify } from 'yaml';

export const MLMODEL_FILE = 'MLmodel';

/** MLflow refuses to narrow a data frame's doubles, so a float32 column is told as a double; the model narrows itself. */
const mlflowTypes: Readonly<Record<ColumnType, string>> = {
  float32: 'double',
  float64: 'double',
  int64: 'long',
  int32: 'integer',
  string: 'string',
  bool: 'boolean',
};

type Columns = readonly { readonly name: string; readonly type: ColumnType }[];
const columnsOf = (columns: Columns): string =>
  JSON.stringify(columns.map(({ name, type }) => ({ type: mlflowTypes[type], name, required: true })));

/** Same run, same text. */
export function mlmodelFor(run: PublishRun, signature: ModelSignature | undefined): string {
  return stringify({
    artifact_path: 'model',
    flavors: {
      onnx: { code: null, data: 'model.onnx', providers: ['CPUExecutionProvider'] },
      python_function: { data: 'model.onnx', loader_module: 'mlflow.onnx' },
    },
    model_uuid: shortHash(`model ${run.runId}`, 32),
    run_id: run.runId,
    ...(signature && {
      signature: { inputs: columnsOf(signature.inputs), outputs: columnsOf(signature.outputs), params: null },
    }),
  });
}
