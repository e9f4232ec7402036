/** Model folders as `mlflow.sklearn` writes them, made without Python: what is in the pickle is up to who calls. */
import { spawnSync } from 'node:child_process';
import { apply } from './kubectl.ts';
import { withObjectStore } from './object-storage.ts';

/** Why conversions cannot be tested here; undefined when they can. */
export function noConverter(): string | undefined {
  const found = spawnSync('docker', ['image', 'inspect', 'slipway/converter:dev']).status === 0;
  return found ? undefined : 'slipway/converter:dev is not here: scripts/images.ts builds it where python3 and pip are';
}

/** A pickle that runs these statements when it is loaded, and is then the integer 0. */
export function pickleThatRuns(code: string): Buffer {
  const text = Buffer.from(`${code}\n`);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  // PROTO 2, GLOBAL builtins.exec, BINUNICODE, TUPLE1, REDUCE, POP, BININT1 0, STOP
  const head = Buffer.from('\x80\x02cbuiltins\nexec\nX', 'latin1');
  return Buffer.concat([head, length, text, Buffer.from('\x85R0K\x00.', 'latin1')]);
}

const MLMODEL = `flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.7
  sklearn:
    pickled_model: model.pkl
    serialization_format: pickle
    sklearn_version: 1.7.2
signature:
  inputs: '[{"name": "x", "type": "double", "required": true}]'
`;

/** Puts a model folder with that pickle below the namespace and applies the ModelVersion that brings it. */
export async function bringPickle(namespace: string, name: string, pickle: Buffer, model = name): Promise<void> {
  const folder = `${namespace}/brought/${name}`;
  await withObjectStore(async (store) => {
    const files = {
      MLmodel: Buffer.from(MLMODEL),
      'model.pkl': pickle,
      'requirements.txt': Buffer.from('scikit-learn==1.7.2\n'),
    };
    for (const [path, bytes] of Object.entries(files)) await store.put(`${folder}/${path}`, bytes, bytes.length);
  });
  apply(
    namespace,
    JSON.stringify({
      apiVersion: 'slipway.dev/v1alpha1',
      kind: 'ModelVersion',
      metadata: { name },
      spec: { model, format: 'mlflow', source: { uri: `s3://slipway/${folder}` } },
    }),
  );
}

/** Keys of what was derived in the namespace. */
export const derivedKeys = (namespace: string): Promise<readonly string[]> =>
  withObjectStore(async (store) => (await store.list(`${namespace}/derived/`)).map(({ key }) => key));
