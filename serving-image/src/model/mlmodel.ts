/** The file by which MLflow describes a model folder: where the ONNX file is, and what the columns are called. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RelativePath } from '@slipway/contract';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { FailureError } from '../failure.ts';

export const MLMODEL_FILE = 'MLmodel';

/** Real ones have a kilobyte or two; a thousand columns make a hundred. */
const MAX_BYTES = 1024 * 1024;

export interface MLmodel {
  /** Names of the ways the model was saved in, `sklearn` for example. */
  readonly flavors: readonly string[];
  /** The ONNX file, relative to the folder. */
  readonly onnxFile?: string;
  /** The columns of the signature; absent when it has none, or speaks of tensors instead of columns. */
  readonly columns?: readonly MLmodelColumn[];
}

/** `type` is in MLflow's words: `double`, `long`, … */
export interface MLmodelColumn {
  readonly name: string;
  readonly type: string;
}

const Document = z.object({
  flavors: z.record(z.string(), z.unknown()).catch({}),
  signature: z.object({ inputs: z.string() }).optional().catch(undefined),
});
const OnnxFlavor = z.object({ data: z.string() });
const Columns = z.array(z.object({ name: z.string().min(1), type: z.string() })).min(1);

/** Undefined when the folder has none. Throws InvalidModel for one that cannot be read or points out of its folder. */
export async function readMLmodel(dir: string): Promise<MLmodel | undefined> {
  const path = join(dir, MLMODEL_FILE);
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return undefined;
  if (size > MAX_BYTES) throw invalid(`has ${size} bytes; expected at most ${MAX_BYTES}`);
  return parseMLmodel(await readFile(path, 'utf8'));
}

const invalid = (problem: string): FailureError => new FailureError('InvalidModel', `${MLMODEL_FILE} ${problem}`);

/** As `readMLmodel`, of the file's text. */
export function parseMLmodel(text: string): MLmodel {
  const parsed = Document.safeParse(parseYaml(text));
  if (!parsed.success) throw invalid('is not the description of a model that mlflow writes');
  const { flavors, signature } = parsed.data;
  const onnxFile = onnxFileOf(flavors['onnx']);
  const columns = signature && columnsOf(signature.inputs);
  return { flavors: Object.keys(flavors), ...(onnxFile && { onnxFile }), ...(columns && { columns }) };
}

function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text, { logLevel: 'silent', prettyErrors: false });
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw invalid('is not YAML');
  }
}

function onnxFileOf(flavor: unknown): string | undefined {
  const parsed = OnnxFlavor.safeParse(flavor);
  if (!parsed.success) return undefined;
  const path = parsed.data.data.replace(/^\.\//, '');
  if (RelativePath.safeParse(path).success) return path;
  throw invalid(
    `names ${JSON.stringify(path.slice(0, 200))} as its ONNX file; expected a relative path inside the folder`,
  );
}

/** A signature of tensors names no columns: it fails the schema and counts as none. */
function columnsOf(inputs: string): readonly MLmodelColumn[] | undefined {
  try {
    return Columns.safeParse(JSON.parse(inputs)).data;
  } catch {
    return undefined;
  }
}
