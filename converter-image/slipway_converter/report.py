"""The three small files beside model.onnx."""

import json
import math

import numpy as np

from .outcome import cut
from .parity import TOLERANCE
from .rows import SEED

_MOST_EXAMPLES = 64
_MOST_LABELS = 1024
_MOST_TEXT = 256
_MOST_WORDS = 128

_TENSORS = {1: "float32", 11: "float64", 7: "int64", 6: "int32", 8: "string", 9: "bool"}
_COLUMNS = {"integer": "int64", "bool": "bool", "string": "string"}


def _labels(classes):
    if classes is None or classes.ndim != 1 or len(classes) > _MOST_LABELS:
        return None
    names = [str(int(c)) if isinstance(c, float) and c.is_integer() else str(c) for c in classes.tolist()]
    return names if all(len(name) <= _MOST_TEXT for name in names) else None


def _input(column, layout, index):
    number = "float64" if layout.is_double else "float32"
    told = {"name": column.name, "type": _COLUMNS.get(column.kind, number)}
    if column.kind == "bool" and index in layout.whole:
        told["type"] = "int64"
    if column.optional:
        told["optional"] = True
    if column.categories and len(column.categories) <= _MOST_LABELS:
        told["categories"] = column.categories
    return told


def signature(onnx_model, layout, classes):
    """What the model takes and gives, as `signature.json` has it."""
    outputs = []
    for output in onnx_model.graph.output:
        kind = _TENSORS.get(output.type.tensor_type.elem_type, "float32")
        told = {"name": output.name, "type": kind}
        labels = _labels(classes) if classes is not None else None
        if labels is not None and kind.startswith("float") and output.name.startswith("prob"):
            told["labels"] = labels
        outputs.append(told)
    inputs = [_input(column, layout, i) for i, column in enumerate(layout.columns)]
    return {"inputs": inputs, "outputs": outputs}


def _json_value(value, column=None):
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if column is not None and column.kind == "integer":
        return int(value)
    if column is not None and column.kind == "bool":
        return bool(value)
    return value


def _answer(value):
    return [_answer(one) for one in value] if isinstance(value, np.ndarray) else _json_value(value)


def chosen_rows(comparison, first, expected):
    """Which rows become examples: the model's own first, then some of every kind; none whose best classes are equally likely."""
    usable = ~comparison.ties & ~comparison.bad
    for values in expected.values():
        if values.dtype.kind == "f":
            usable &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    own = [i for i in range(min(first, _MOST_EXAMPLES // 2)) if usable[i]]
    rest = [i for i in np.flatnonzero(usable) if i >= first]
    count = min(_MOST_EXAMPLES - len(own), len(rest))
    spread = [int(rest[i]) for i in np.unique(np.linspace(0, len(rest) - 1, count).astype(int))] if count else []
    return own + spread


def examples(columns, table, expected, rows):
    """Rows by column name and what the Python model said, as `examples.json` has it."""
    inputs = [
        {column.name: _json_value(value, column) for column, value in zip(columns, table.row(i), strict=True)} for i in rows
    ]
    return {"inputs": inputs, "outputs": {name: [_answer(values[i]) for i in rows] for name, values in expected.items()}}


def fitting(text):
    """The text as conversion.json has room for it."""
    return cut(text, _MOST_WORDS)


def parity(comparison):
    """How well they agree, as `conversion.json` has it; where nothing differs there is no worst value."""
    worst = comparison.worst if comparison.size > 0 else None
    return {
        "rows": comparison.rows,
        "seed": SEED,
        "tolerance": TOLERANCE,
        "worst": worst and {**worst, "output": fitting(worst["output"])},
        "relative": comparison.size * TOLERANCE,
        "labelsEqual": bool(comparison.labels_equal),
        "ties": int(comparison.ties.sum()),
    }


def write(folder, name, document):
    """One file, without numbers that JSON does not have."""
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        json.dump(document, file, allow_nan=False, ensure_ascii=False)
