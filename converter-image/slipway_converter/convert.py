"""From the model to ONNX: with which inputs, by skl2onnx, and what is taken out of the graph afterwards."""

import copy
import sys

from .columns import final_step
from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed
from .steps import check_steps, class_name, walk

OPSET = 18
ML_OPSET = 3
_FOREIGN = ("Sequence", "Optional", "Random", "SplitToSequence", "ConcatFromSequence", "Bernoulli", "Multinomial")
_CURE = "or serve the model with an image of your own (spec.runtime)"


class Layout:
    """How the inputs look: one matrix or one input a column, and the type of their numbers."""

    def __init__(self, columns, is_matrix, is_double, whole=frozenset()):
        self.columns = columns
        self.is_matrix = is_matrix
        self.is_double = is_double
        self.whole = whole

    @property
    def name(self):
        """As conversion.json says it."""
        numbers = "float64" if self.is_double else "float32"
        return numbers if self.is_matrix else f"columns of {numbers}"

    def _type(self, index):
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

        if self.columns[index].kind == "string":
            return StringTensorType([None, 1])
        if index in self.whole:
            return Int64TensorType([None, 1])
        return (DoubleTensorType if self.is_double else FloatTensorType)([None, 1])

    def initial_types(self):
        """As skl2onnx takes them."""
        if not self.is_matrix:
            return [(column.name, self._type(i)) for i, column in enumerate(self.columns)]
        kind = type(self._type(0))
        return [("X", kind([None, len(self.columns)]))]

    def feed(self, table):
        """The rows as the tensors of these inputs."""
        import numpy as np

        number = np.float64 if self.is_double else np.float32
        if self.is_matrix and self.columns[0].kind != "string":
            return {"X": np.column_stack(table.arrays).astype(number)}
        feeds = {}
        for i, (column, array) in enumerate(zip(self.columns, table.arrays, strict=True)):
            kind = object if column.kind == "string" else np.int64 if i in self.whole else number
            feeds["X" if self.is_matrix else column.name] = array.astype(kind).reshape(-1, 1)
        return feeds


def layouts(columns, facts):
    """The forms to try, the fastest first."""
    numeric = all(column.kind != "string" for column in columns)
    encoded = frozenset(
        i
        for i, (column, fact) in enumerate(zip(columns, facts, strict=True))
        if column.kind == "integer" and fact.categories is not None and not column.optional
    )
    if numeric:
        made = [Layout(columns, True, False), Layout(columns, True, True)]
        return [*made, Layout(columns, False, False, encoded)] if encoded else made
    whole = [Layout(columns, False, False, encoded)] if encoded else []
    return [*whole, Layout(columns, False, False), Layout(columns, False, True)]


_CASTS = (
    "DecisionTree", "ExtraTree", "RandomForest", "GradientBoosting", "IsolationForest", "Bagging", "AdaBoost", "XGB",
)  # fmt: skip


def with_cast(model):
    """
    The pipeline with its last step fed 32-bit floats, if that is what the step itself makes of its input: trees compare
    those with their thresholds, whatever comes before them.
    """
    import numpy as np
    from skl2onnx.sklapi import CastTransformer

    steps = getattr(model, "steps", None)
    if not isinstance(steps, list) or len(steps) < 2 or not type(steps[-1][1]).__name__.startswith(_CASTS):
        return model
    made = copy.copy(model)
    made.steps = [*steps[:-1], ("slipway_cast", CastTransformer(dtype=np.float32)), steps[-1]]
    return made


def _unflattened(model):
    """A vote of models, as skl2onnx takes it; the setting does not change a prediction."""
    if not hasattr(model, "flatten_transform"):
        return model
    made = copy.copy(model)
    made.flatten_transform = False
    return made


def prepared(model):
    """The model in the words of skl2onnx, with the same answers. The model itself is not changed."""
    while hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    if isinstance(getattr(model, "steps", None), list):
        made = copy.copy(model)
        made.steps = [*model.steps[:-1], (model.steps[-1][0], _unflattened(model.steps[-1][1]))]
        return made
    return _unflattened(model)


def by_position(model):
    """The model with column transformers that name columns by their place: a matrix has no names. The model is not changed."""
    if isinstance(getattr(model, "steps", None), list):
        first = by_position(model.steps[0][1])
        made = copy.copy(model)
        made.steps = [(model.steps[0][0], first), *model.steps[1:]]
        return made
    if isinstance(getattr(model, "transformers_", None), list):
        made = copy.copy(model)
        places = model._transformer_to_input_indices
        made.transformers_ = [(name, part, list(places.get(name, []))) for name, part, _ in model.transformers_]
        return made
    return model


def _options(model):
    """No maps in the output; class names are in the signature."""
    options = {}
    final = final_step(model)
    if "zipmap" in _allowed_options(final):
        options[id(final)] = {"zipmap": False}
    return options


def _allowed_options(model):
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter

    alias = sklearn_operator_name_map.get(type(model))
    return () if alias is None else get_converter(alias).get_allowed_options() or ()


def _step_of(error, model):
    """The words for the step that an error of skl2onnx is about, as far as it can be told."""
    text = f"{type(error).__name__}: {error}"
    for label, part in walk(model):
        if label is not None and type(part).__name__ in text:
            return f"{label} ({class_name(type(part))})"
    return class_name(type(final_step(model)))


def convert(model, layout):
    """The ONNX model. Raises ConversionFailed naming the step and the cure."""
    from skl2onnx import convert_sklearn

    check_steps(model)
    placed = by_position(prepared(model))
    placed = with_cast(placed) if layout.is_double else placed
    try:
        onnx_model = convert_sklearn(
            placed,
            "slipway",
            layout.initial_types(),
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            options=_options(placed),
        )
    except (ConversionFailed, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - skl2onnx raises whatever it comes across
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConversionFailed(
            FORMAT_NOT_SERVABLE, f"{_step_of(error, model)} has no ONNX form with these settings ({text}); change it, {_CURE}"
        ) from None
    return onnx_model


def check_operators(onnx_model, model):
    """Raises ConversionFailed when the graph needs what the model server does not run."""
    for node in onnx_model.graph.node:
        is_control = any(attribute.type in (5, 10) for attribute in node.attribute)
        is_known = node.domain in ("", "ai.onnx.ml") and not node.op_type.startswith(_FOREIGN)
        if is_control or not is_known:
            raise ConversionFailed(
                FORMAT_NOT_SERVABLE,
                f"{class_name(type(final_step(model)))} needs the ONNX operator {node.domain or 'ai.onnx'}.{node.op_type}, "
                f"which is not served; use another estimator, {_CURE}",
            )


def keep_outputs(onnx_model, names):
    """Takes out the other outputs, and every node that only they needed."""
    graph = onnx_model.graph
    for output in [output for output in graph.output if output.name not in names]:
        graph.output.remove(output)
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in needed]:
        graph.initializer.remove(tensor)

