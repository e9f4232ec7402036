/**
 * Model conversion: a model folder that Python alone can load becomes ONNX in a Job of its own. What its containers hand to
 * each other, how they tell what happened, and where the result lies.
 */
import { z } from 'zod';
import { ArtifactFile, artifactDigest, Sha256 } from './artifact.ts';
import { shortHash } from './hash.ts';
import { EXAMPLES_FILE, SIGNATURE_FILE } from './trainer-files.ts';

/** On a Namespace, by its administrator: Python models of this namespace may be unpickled and converted. */
export const CONVERT_LABEL = 'slipway.dev/convert';
export const CONVERT_ENABLED = 'enabled';

/** Where the converter leaves the derived model, for `verify` and `deposit`. Everything in it is untrusted. */
export const DERIVED_DIR = '/derived';
export const CONVERSION_FILE = 'conversion.json';
export const DERIVED_MODEL_FILE = 'model.onnx';

const MIB = 1024 ** 2;
/** The only files a derived model may have, with the most bytes each may have. */
export const DERIVED_FILES: Readonly<Record<string, number>> = {
  [DERIVED_MODEL_FILE]: 2048 * MIB,
  [SIGNATURE_FILE]: 4 * MIB,
  [EXAMPLES_FILE]: 4 * MIB,
  [CONVERSION_FILE]: 4 * MIB,
};
/** Without these it is no derived model. */
export const REQUIRED_DERIVED_FILES: readonly string[] = Object.keys(DERIVED_FILES);

/**
 * The most bytes a container of a conversion's pod can say at its end: a kubelet keeps 12 KiB for all messages of a pod, cut
 * into equal parts, and there are four containers. What is longer arrives cut, and is then no report.
 */
export const CONVERT_TERMINATION_BYTES = 3072;

/** The environment of the converter image. */
export const CONVERT_MODEL_DIR = 'MODEL_DIR';
export const CONVERT_OUTPUT_DIR = 'OUTPUT_DIR';
export const CONVERT_TIMEOUT = 'CONVERT_TIMEOUT_SECONDS';

const Text = z.string().max(512);
const Versions = z.record(z.string().max(128), z.string().max(128));
/** A number, or what JSON has no number for, as text. */
const Amount = z.union([z.number(), z.string().max(64)]);
/** A value as it is shown. */
const Shown = z.union([z.number(), z.string().max(256), z.boolean(), z.null()]);

/** How well the ONNX answers as the original does. */
export const ConversionParity = z.object({
  rows: z.int().min(0),
  seed: z.int().exactOptional(),
  /** The largest difference that is let pass. */
  tolerance: Amount,
  /** Where they differ most; null: nowhere. */
  worst: z
    .object({ output: Text, row: z.int(), expected: Shown, got: Shown, difference: Amount })
    .nullable()
    .default(null),
  labelsEqual: z.boolean().nullable().default(null),
});
export type ConversionParity = z.infer<typeof ConversionParity>;

/** `conversion.json`: what was converted, with what, and how well it agrees. Words of an untrusted process: shown as text only. */
export const ConversionReport = z.object({
  /** `sklearn`, `xgboost`, `lightgbm`. */
  flavor: Text,
  /** How the model was stored: `pickle`, `cloudpickle`, `skops`, … */
  format: Text,
  estimator: Text,
  steps: z.array(Text).max(1024).default([]),
  /** The versions it was converted with. */
  libraries: Versions,
  /** The versions its requirements ask for. */
  wanted: Versions.default({}),
  opset: z.int().min(1).max(1000),
  /** The type of the ONNX inputs. */
  inputs: Text.exactOptional(),
  parity: ConversionParity,
  seconds: z.number().min(0).max(1e6),
});
export type ConversionReport = z.infer<typeof ConversionReport>;

const MAX_LIBRARIES = 8;
const MAX_WORDS = 200;

/** The part of a report that objects, rows and termination messages have room for. */
export const ConversionSummary = ConversionReport.pick({
  flavor: true,
  format: true,
  estimator: true,
  libraries: true,
  opset: true,
  inputs: true,
  parity: true,
  seconds: true,
});
export type ConversionSummary = z.infer<typeof ConversionSummary>;

/** Plain letters only: one byte each, in JSON too, and nothing that moves the cursor of who reads them. */
const words = (text: string, most = MAX_WORDS): string =>
  text
    .replaceAll(/[^ !#-[\]-~]+/g, '?')
    .trim()
    .slice(0, most);

/** Shortens what an untrusted process said until it can be shown anywhere. */
export function summaryOf(report: ConversionReport): ConversionSummary {
  const { flavor, format, estimator, libraries, opset, inputs, parity, seconds } = report;
  const { worst } = parity;
  const shown = (value: z.infer<typeof Shown>) => (typeof value === 'string' ? words(value, 64) : value);
  const amount = (value: z.infer<typeof Amount>) => (typeof value === 'string' ? words(value, 64) : value);
  return {
    flavor: words(flavor, 32),
    format: words(format, 32),
    estimator: words(estimator),
    libraries: Object.fromEntries(
      Object.entries(libraries)
        .slice(0, MAX_LIBRARIES)
        .map(([name, version]) => [words(name, 48), words(version, 32)]),
    ),
    opset,
    ...(inputs !== undefined && { inputs: words(inputs, 32) }),
    parity: {
      ...parity,
      tolerance: amount(parity.tolerance),
      worst: worst && {
        ...worst,
        output: words(worst.output, 64),
        expected: shown(worst.expected),
        got: shown(worst.got),
        difference: amount(worst.difference),
      },
    },
    seconds: Math.round(seconds * 100) / 100,
  };
}

/** `DERIVED_ARTIFACT`: what `deposit` is told of the version whose derived model lies in DERIVED_DIR. */
export const DerivedTarget = z.object({
  namespace: z.string().min(1),
  model: z.string().min(1),
  version: z.int().min(1),
  /** The original. */
  from: z.object({ uri: z.string(), digest: Sha256.exactOptional() }),
});
export type DerivedTarget = z.infer<typeof DerivedTarget>;

/** What lies in a derived model's folder beside its files, written last: with it the folder is complete. */
export const DerivedManifest = z.object({
  derivedFrom: DerivedTarget,
  digest: Sha256,
  files: z.array(ArtifactFile).min(1).max(16),
});
export type DerivedManifest = z.infer<typeof DerivedManifest>;

/** What `deposit` reports when everything is stored. */
export const DepositReport = z.object({
  stage: z.literal('deposit'),
  reason: z.literal('Deposited'),
  message: z.string(),
  uri: z.string(),
  digest: Sha256,
  files: z.array(ArtifactFile).min(1).max(16),
  conversion: ConversionSummary,
});
export type DepositReport = z.infer<typeof DepositReport>;

const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** The part below a namespace where derived models lie; no final slash. */
export const DERIVED_FOLDER = 'derived';

/** A model's folder: its name, or, where that is no plain name, a shortened one told apart by a hash. */
const folderOf = (model: string): string =>
  PLAIN.test(model) ? model : `${model.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 64)}~${shortHash(model, 12)}`;

/** The key of a derived model's folder, without a final slash. Other bytes, another digest, another folder. */
export const derivedKey = (at: { namespace: string; model: string; version: number; digest: string }): string =>
  `${at.namespace}/${DERIVED_FOLDER}/${folderOf(at.model)}/${at.version}/${at.digest}`;

/** True when digest and files of a report say the same, and every file is one a derived model may have. */
export const isWholeDeposit = ({ digest, files }: Pick<DepositReport, 'digest' | 'files'>): boolean =>
  artifactDigest(files) === digest &&
  files.every(({ path, size }) => size <= (DERIVED_FILES[path] ?? -1)) &&
  REQUIRED_DERIVED_FILES.every((path) => files.some((file) => file.path === path));

/** Where a derived model comes from: the original, the image that converted it, and what that image reported. */
export const Conversion = ConversionSummary.extend({ from: DerivedTarget.shape.from, image: z.string().max(512) });
export type Conversion = z.infer<typeof Conversion>;
