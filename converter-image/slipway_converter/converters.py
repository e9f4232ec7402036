"""What skl2onnx does not bring, or not exactly: gradient boosting by histograms, and distances without control flow."""

import sys

import numpy as np

from .boosters import BoosterModel, forest_of
from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed


def _floor32(value):
    """The largest float32 that is not above the value: for float32 inputs `x <= value` stays the same question."""
    rounded = np.float32(value)
    return float(rounded if float(rounded) <= value else np.nextafter(rounded, np.float32(-np.inf)))


def _values(forest, is_double):
    if is_double:
        return np.array(forest.value, dtype=np.float64)
    return np.array(
        [_floor32(v) if mode == "BRANCH_LEQ" else v for v, mode in zip(forest.value, forest.mode, strict=True)],
        dtype=np.float32,
    )


class _Writer:
    """Adds nodes to what skl2onnx builds, each with outputs of their own."""

    def __init__(self, scope, container, opset):
        self.scope, self.container, self.opset = scope, container, opset

    def constant(self, name, values):
        """A tensor of the graph."""
        from onnx import TensorProto

        types = {"f": TensorProto.FLOAT, "d": TensorProto.DOUBLE, "q": TensorProto.INT64, "l": TensorProto.INT64}
        array = np.asarray(values)
        full = self.scope.get_unique_variable_name(name)
        if array.dtype.kind in "UO":
            flat = [str(value).encode() for value in array.ravel()]
            self.container.add_initializer(full, TensorProto.STRING, list(array.shape), flat)
        else:
            self.container.add_initializer(full, types[array.dtype.char], list(array.shape), array.ravel().tolist())
        return full

    def node(self, kind, inputs, output=None, domain="", version=None, **attributes):
        """A node; gives the name of its output."""
        output = output or self.scope.get_unique_variable_name(kind.lower())
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(
            kind, list(inputs), [output], op_domain=domain, op_version=version or self.opset, name=name, **attributes
        )
        return output


def _raw_scores(writer, forest, rows, is_double):
    """A node that gives the sums of the trees, [N, targets]."""
    kind = np.float64 if is_double else np.float32
    suffix = "_as_tensor" if is_double else ""

    def numbers(values):
        from onnx.numpy_helper import from_array

        array = np.array(values, dtype=kind)
        return from_array(array) if is_double else array.tolist()

    attributes = {
        "n_targets": forest.targets,
        "nodes_treeids": forest.tree,
        "nodes_nodeids": forest.node,
        "nodes_featureids": forest.feature,
        "nodes_modes": forest.mode,
        "nodes_truenodeids": forest.if_true,
        "nodes_falsenodeids": forest.if_false,
        "nodes_missing_value_tracks_true": forest.missing_is_true,
        "target_treeids": forest.leaf_tree,
        "target_nodeids": forest.leaf_node,
        "target_ids": forest.leaf_target,
        f"nodes_values{suffix}": numbers(_values(forest, is_double)),
        f"target_weights{suffix}": numbers([weight * forest.scale for weight in forest.leaf_weight]),
        f"base_values{suffix}": numbers(forest.base),
        "post_transform": "NONE",
    }
    raw = writer.node("TreeEnsembleRegressor", [rows], domain="ai.onnx.ml", version=3, **attributes)
    # Of doubles too it makes 32-bit floats.
    return writer.node("Cast", [raw], to=11) if is_double else raw


def _linked(writer, forest, raw, kind):
    """What the booster gives: the sums after its link."""
    if forest.link in ("sigmoid", "ova"):
        scaled = raw if forest.sigmoid == 1.0 else writer.node("Mul", [raw, writer.constant("sigmoid", kind(forest.sigmoid))])
        shares = writer.node("Sigmoid", [scaled])
        if forest.link == "sigmoid":
            return shares
        total = writer.node("ReduceSum", [shares, writer.constant("axis", np.array([1]))], keepdims=1)
        return writer.node("Div", [shares, total])
    if forest.link in ("softmax", "label"):
        return writer.node("Softmax", [raw], axis=1)
    return writer.node("Exp", [raw]) if forest.link == "exp" else raw


def _rows_of(writer, operator):
    """The input as one matrix of floats; whether of doubles."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kinds = operator.inputs[0].type
    name = operator.inputs[0].full_name
    if isinstance(kinds, DoubleTensorType):
        return name, True
    return (name if isinstance(kinds, FloatTensorType) else writer.node("Cast", [name], to=1)), False


def _convert(scope, operator, container):
    model = operator.raw_operator
    writer = _Writer(scope, container, container.target_opset)
    rows, is_double = _rows_of(writer, operator)
    forest = model.forest if isinstance(model, BoosterModel) else forest_of(model)
    kind = np.float64 if is_double else np.float32
    raw = _raw_scores(writer, forest, rows, is_double)
    given = _linked(writer, forest, raw, kind)
    if len(operator.outputs) == 2:
        _classes(writer, operator, model, forest, given, kind)
    elif isinstance(model, BoosterModel) and forest.link == "label":
        best = writer.node("ArgMax", [given], axis=1, keepdims=1)
        writer.node("Cast", [best], operator.outputs[0].full_name, to=11 if is_double else 1)
    else:
        writer.node("Identity", [given], operator.outputs[0].full_name)


def _classes(writer, operator, model, forest, given, kind):
    label, shares = (output.full_name for output in operator.outputs)
    if forest.targets == 1:
        other = writer.node("Sub", [writer.constant("one", kind(1)), given])
        both = writer.node("Concat", [other, given], shares, axis=1)
    else:
        both = writer.node("Identity", [given], shares)
    best = writer.node("ArgMax", [both], axis=1, keepdims=0)
    classes = np.asarray(model.classes_)
    listed = classes if classes.dtype.kind in "UO" else classes.astype(np.int64)
    picked = writer.node("ArrayFeatureExtractor", [writer.constant("classes", listed), best], domain="ai.onnx.ml", version=1)
    writer.node("Reshape", [picked, writer.constant("flat", np.array([-1]))], label)


def _shapes(operator):
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    given = operator.inputs[0].type
    kind = DoubleTensorType if isinstance(given, DoubleTensorType) else FloatTensorType
    rows = given.shape[0] if given.shape else None
    model = operator.raw_operator
    if len(operator.outputs) == 2:
        is_text = np.asarray(model.classes_).dtype.kind in "UO"
        operator.outputs[0].type = (StringTensorType if is_text else Int64TensorType)([rows])
        operator.outputs[1].type = kind([rows, len(model.classes_)])
    else:
        operator.outputs[0].type = kind([rows, None])


def _register(kind, is_classifier):
    import skl2onnx

    # Asked for by the parser wherever the step stands, in a stack of models too.
    options = {"zipmap": [True, False], "nocl": [True, False], "output_class_labels": [False, True], "raw_scores": [True, False]}
    skl2onnx.update_registered_converter(
        kind, f"Slipway{kind.__module__.split('.')[0]}{kind.__name__}", _shapes, _convert,
        options=options if is_classifier else None, overwrite=True,
    )  # fmt: skip


def _booster_parser(scope, model, inputs, custom_parsers=None):
    from skl2onnx.common.data_types import FloatTensorType

    operator = scope.declare_local_operator("SlipwayBooster", model)
    operator.inputs.extend(inputs)
    operator.outputs.append(scope.declare_local_variable("variable", FloatTensorType()))
    return operator.outputs


def register_boosters():
    """Makes skl2onnx convert the boosters of those libraries that the model has brought into this process."""
    import skl2onnx

    skl2onnx.update_registered_converter(BoosterModel, "SlipwayBooster", _shapes, _convert, parser=_booster_parser)
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    _register(HistGradientBoostingClassifier, True)
    _register(HistGradientBoostingRegressor, False)
    names = {
        "xgboost": (("XGBClassifier", "XGBRFClassifier"), ("XGBRegressor", "XGBRFRegressor", "XGBRanker")),
        "lightgbm": (("LGBMClassifier",), ("LGBMRegressor", "LGBMRanker")),
    }
    for library, (classifiers, regressors) in names.items():
        module = sys.modules.get(library)
        for name in (*classifiers, *regressors):
            if module is not None and hasattr(module, name):
                _register(getattr(module, name), name in classifiers)


def _distances(xa, xb, metric="sqeuclidean", dtype=None, op_version=None, dim_in=None, dim_out=None, **options):
    """As skl2onnx's own, for every pair at once: [N, 1, F] and [1, M, F] become [N, M]."""
    from skl2onnx.algebra import onnx_ops as ops

    def wide(side, axis):
        return ops.OnnxUnsqueeze(side, np.array([axis], dtype=np.int64), op_version=op_version)

    def total(of, **more):
        return ops.OnnxReduceSum(of, np.array([2], dtype=np.int64), keepdims=0, op_version=op_version, **more)

    power = options.pop("p", None)
    apart = ops.OnnxSub(wide(xa, 1), wide(xb, 0), op_version=op_version)
    if metric == "sqeuclidean":
        return total(ops.OnnxMul(apart, apart, op_version=op_version), **options)
    if metric == "euclidean" or (metric == "minkowski" and power == 2):
        squares = total(ops.OnnxMul(apart, apart, op_version=op_version))
        return ops.OnnxSqrt(squares, op_version=op_version, **options)
    size = ops.OnnxAbs(apart, op_version=op_version)
    if metric in ("manhattan", "cityblock"):
        return total(size, **options)
    if metric == "minkowski":
        raised = total(ops.OnnxPow(size, np.array([power], dtype=dtype), op_version=op_version))
        return ops.OnnxPow(raised, np.array([1.0 / power], dtype=dtype), op_version=op_version, **options)
    raise ConversionFailed(
        FORMAT_NOT_SERVABLE,
        f"the distance {str(metric)[:60]!r} is not converted; train with euclidean, manhattan or minkowski, "
        "or serve it with an image of your own (spec.runtime)",
    )


def use_plain_distances():
    """Takes the loops out of every converter that measures distances: control flow is not served."""
    import skl2onnx.algebra.complex_functions as functions
    from skl2onnx.operator_converters import _gp_kernels, nearest_neighbours

    functions.onnx_cdist = _distances
    for module in (nearest_neighbours, _gp_kernels):
        module.onnx_cdist = _distances
    nearest_neighbours._onnx_cdist_sqeuclidean = _distances


def _imputes_doubles(operator):
    from skl2onnx.common.data_types import DoubleTensorType

    statistics = getattr(operator.raw_operator, "statistics_", None)
    return (
        all(isinstance(given.type, DoubleTensorType) for given in operator.inputs)
        and isinstance(operator.raw_operator.missing_values, float)
        and np.asarray(statistics).dtype.kind == "f"
        and bool(np.isfinite(statistics).all())
    )


def _impute(original):
    def convert(scope, operator, container):
        if not _imputes_doubles(operator):
            original(scope, operator, container)
            return
        from skl2onnx.operator_converters.common import concatenate_variables

        writer = _Writer(scope, container, container.target_opset)
        rows = concatenate_variables(scope, operator.inputs, container)
        rows = rows if isinstance(rows, str) else rows[0]
        filling = writer.constant("filling", np.asarray(operator.raw_operator.statistics_, dtype=np.float64).reshape(1, -1))
        writer.node("Where", [writer.node("IsNaN", [rows]), filling, rows], operator.outputs[0].full_name)

    return convert


def impute_doubles():
    """The runtime has an Imputer for 32-bit floats only; doubles are filled in by other operators."""
    from skl2onnx.common._registration import get_converter, register_converter

    original = get_converter("SklearnSimpleImputer")
    register_converter("SklearnSimpleImputer", _impute(original), overwrite=True)
