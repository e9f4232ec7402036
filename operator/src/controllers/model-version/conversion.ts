/** A version that Python alone can load: whether it may be converted, and what is said of what it was converted to. Pure. */
import { CONVERT_ENABLED, CONVERT_LABEL, type Conversion } from '@slipway/contract';
import type { DerivedModel, ModelVersionRow } from '@slipway/database';
import { findCondition } from '../../api/conditions.ts';
import type { Settings } from '../ports.ts';
import { type ModelVersion, type ModelVersionStatus, READY, Reason } from './api.ts';
import { storedElsewhere } from './source.ts';
import type { Words } from './verdict.ts';

const AS_ONNX =
  'log the model as ONNX yourself (mlflow.onnx.log_model(…), with skl2onnx.to_onnx(…) for scikit-learn) and register that as a new version; or serve it ' +
  'as it is by an image of your own (spec.runtime of an InferenceService)';

/** Why the version is not converted, and the cure; undefined when it may be. */
export function conversionRefusal(
  row: ModelVersionRow,
  { bucket, converter }: Settings,
  isAllowed: boolean,
): Words | undefined {
  const lacks = 'the model folder has no ONNX flavour';
  if (!converter) {
    const message = `${lacks}, and this installation converts none (converter.enabled of the chart is false): ${AS_ONNX}`;
    return { reason: Reason.FormatNotServable, message };
  }
  if (!isAllowed) {
    const message =
      `${lacks}, and models of this namespace are not converted. To have scikit-learn, XGBoost and LightGBM models converted: ` +
      `kubectl label namespace ${row.namespace} ${CONVERT_LABEL}=${CONVERT_ENABLED} — each is then unpickled once, which runs ` +
      `whatever code its author put into it, in a pod without network, credentials and tokens. Or ${AS_ONNX}`;
    return { reason: Reason.FormatNotServable, message };
  }
  return storedElsewhere(row, bucket);
}

/** True when this very image has found that the model cannot be converted: another look would find the same. */
export function isJudged({ status }: ModelVersion, image: string): boolean {
  const ready = findCondition(status?.conditions, READY);
  return ready?.status === 'False' && status?.artifact === undefined && status?.conversion?.image === image;
}

const MAX_SHOWN = 4;

/** A number as people read it. */
const shown = (amount: number | string): string =>
  typeof amount === 'number' ? String(Number(amount.toPrecision(3))) : amount;

/** What was converted, with which libraries, how many rows agreed, and how well: one sentence. */
export function convertedMessage({ flavor, format, estimator, libraries, parity }: Conversion): string {
  const used = Object.entries(libraries)
    .slice(0, MAX_SHOWN)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const differ =
    parity.worst === null
      ? 'no difference'
      : `worst difference ${shown(parity.worst.difference)} (${parity.worst.output})`;
  return (
    `converted to ONNX from ${flavor} (${format}): ${estimator}${used === '' ? '' : ` with ${used}`}; ` +
    `${parity.rows} rows answered as by the original, ${differ}, tolerance ${shown(parity.tolerance)}`
  );
}

type StatusConversion = NonNullable<ModelVersionStatus['conversion']>;

/** The conversion as a status tells it: decimals are strings there. */
export const conversionStatus = ({ conversion }: Pick<DerivedModel, 'conversion'>): StatusConversion => {
  const { from, image, flavor, format, estimator, libraries, opset, parity, seconds } = conversion;
  const { worst, rows, tolerance, labelsEqual } = parity;
  return {
    from,
    image,
    flavor,
    format,
    estimator,
    libraries,
    opset,
    parity: {
      rows,
      tolerance: shown(tolerance),
      ...(worst && { worstDifference: shown(worst.difference), worstOutput: worst.output }),
      ...(labelsEqual !== null && { labelsEqual }),
    },
    seconds: shown(seconds),
  };
};
