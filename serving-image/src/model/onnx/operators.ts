/**
 * The operators a served model may use: those that compute a tensor from tensors in time bounded by their sizes.
 * Control flow (If, Loop, Scan), sequences, maps, optionals and random numbers are left out on purpose. ZipMap may be
 * there because it is taken out before the runtime sees the model (zip-map.ts).
 */
const TENSOR_OPERATORS = `
Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift
BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Compress
Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum CumProd DFT DeformConv DepthToSpace
DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN
LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max
MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Neg
NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul
QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign
RotaryEmbedding Round STFT Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub
Sum Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample
Where Xor`;

const ML_OPERATORS = `
ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor
Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
ZipMap`;

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));
const ALLOWED: Readonly<Record<string, ReadonlySet<string>>> = {
  'ai.onnx': words(TENSOR_OPERATORS),
  'ai.onnx.ml': words(ML_OPERATORS),
};

/** The newest version of each operator set that the runtime in this image implements. */
export const NEWEST_OPSET: Readonly<Record<string, number>> = { 'ai.onnx': 26, 'ai.onnx.ml': 5 };
export const NEWEST_IR = 13;

/** `''` is how ONNX writes its own domain. */
export const domainName = (domain: string): string => (domain === '' ? 'ai.onnx' : domain);

const CURES: Readonly<Record<string, string>> = {
  'ai.onnx.Loop': 'control flow is not served; export the model with its loops unrolled',
  'ai.onnx.Scan': 'control flow is not served; export the model with its loops unrolled',
  'ai.onnx.If': 'control flow is not served; export the model for inference only, so that the branch is decided',
};

/** Why the operator is refused, or undefined when it may be used. */
export function operatorProblem(domain: string, operator: string): string | undefined {
  const name = domainName(domain);
  if (Object.hasOwn(ALLOWED, name) && ALLOWED[name]?.has(operator)) return undefined;
  return (
    CURES[`${name}.${operator}`] ??
    'only computing operators of ai.onnx and ai.onnx.ml are served; export the model with those'
  );
}
