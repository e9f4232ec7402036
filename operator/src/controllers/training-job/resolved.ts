/** What a run's Job needs beside the spec, looked up once when the Job is made. Pure: the looking is done by reconcile.ts. */
import type { Artifact } from '@slipway/contract';
import type { ModelVersionRow } from '@slipway/database';

/** A version a gate compares with. */
export interface Reference {
  readonly version: number;
  readonly artifact: Artifact;
}

export interface Resolved {
  /** By the URI of the input (`data://name`): where its bytes lie now. */
  readonly dataSets: Readonly<Record<string, { readonly key: string; readonly sha256: string }>>;
  /** By the selector as it stands in the spec (`Production`, `@champion`, `3`, `latest`); one that stands for nothing is left out. */
  readonly references: Readonly<Record<string, Reference>>;
}

/** The version of `model` that `selector` stands for among `rows` (newest first): READY, with its files known. */
export function referenceFor(
  rows: readonly ModelVersionRow[],
  model: string,
  selector: string | number,
): Reference | undefined {
  const wanted = String(selector);
  const usable = rows.filter((row) => row.model === model && row.status === 'READY' && servedBytes(row) !== undefined);
  const found = usable
    .toSorted((a, b) => b.version - a.version)
    .find((row) => {
      if (wanted === 'latest') return row.stage !== 'Archived' && row.lineage.gate?.passed !== false;
      if (wanted.startsWith('@')) return row.aliases.includes(wanted.slice(1));
      return /^\d+$/.test(wanted) ? row.version === Number(wanted) : row.stage === wanted;
    });
  const artifact = found && servedBytes(found);
  return artifact && { version: found.version, artifact };
}

/** Of a Python model only what it was converted to: nothing here can answer with the original. */
const servedBytes = ({ format, derived, artifact }: ModelVersionRow): Artifact | undefined =>
  format === 'onnx' ? artifact : derived?.artifact;
