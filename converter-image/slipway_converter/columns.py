"""The input columns of a model: their names and types."""

import json
from dataclasses import dataclass

import numpy as np

from .mlmodel import inside
from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed

_MOST_COLUMNS = 1024
_KINDS = {
    "string": "string", "boolean": "bool", "integer": "integer", "long": "integer",
    "double": "number", "float": "number",
}  # fmt: skip


@dataclass
class Column:
    """`kind`: number, integer, bool or string. `optional`: the model takes NaN here."""

    name: str
    kind: str
    optional: bool = False
    categories: list[str] | None = None


def final_step(model):
    """The estimator at the end of pipelines and searches."""
    while True:
        if isinstance(getattr(model, "steps", None), list):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def _first_step(model):
    while isinstance(getattr(model, "steps", None), list) or hasattr(model, "best_estimator_"):
        model = model.steps[0][1] if hasattr(model, "steps") else model.best_estimator_
    return model


def is_text_model(model):
    """Whether it takes one text a row, and no table."""
    return hasattr(_first_step(model), "build_analyzer")


def own_names(model):
    """The names of the columns that the model was fitted with; None when it was fitted with none."""
    if is_text_model(model):
        return None
    for part in (model, _first_step(model)):
        try:
            names = part.feature_names_in_
        except AttributeError:
            continue
        if names is not None and all(isinstance(name, str) for name in names):
            return [str(name) for name in names]
    return None


def width_of(model):
    """How many columns it takes. Raises ConversionFailed when it does not tell."""
    if is_text_model(model):
        return 1
    for part in (model, _first_step(model)):
        width = getattr(part, "n_features_in_", None)
        if isinstance(width, (int, np.integer)):
            return int(width)
    raise ConversionFailed(
        FORMAT_NOT_SERVABLE,
        f"{type(model).__name__} does not tell how many columns it takes (n_features_in_); expected a fitted model",
    )


def _named(model, mlmodel, width, forest_names):
    own = own_names(model)
    if own is not None:
        return own
    logged = [column.name for column in mlmodel.columns]
    if len(logged) == width and len(set(logged)) == width:
        return logged
    if len(forest_names) == width:
        return list(forest_names)
    return ["text"] if is_text_model(model) else [f"x{i}" for i in range(width)]


def _kind(logged, fact, is_text):
    if is_text or fact.words is not None:
        return "string"
    categories = fact.categories
    if categories is not None and any(isinstance(value, str) for value in categories):
        return "string"
    if logged is not None and logged.type in _KINDS:
        return _KINDS[logged.type]
    if categories is not None and categories and all(isinstance(v, int) for v in categories):
        return "integer"
    return "number"


def columns_of(model, mlmodel, facts, forest_names=()):
    """The columns, in the model's order. Raises ConversionFailed when there are too many."""
    width = len(facts)
    if not 1 <= width <= _MOST_COLUMNS:
        raise ConversionFailed(FORMAT_NOT_SERVABLE, f"the model takes {width} columns; 1 to {_MOST_COLUMNS} are served")
    names = _named(model, mlmodel, width, forest_names)
    by_name = {column.name: column for column in mlmodel.columns}
    by_place = mlmodel.columns if len(mlmodel.columns) == width else [None] * width
    is_text = is_text_model(model)
    return [
        Column(name, _kind(by_name.get(name, by_place[i] if own_names(model) is None else None), facts[i], is_text))
        for i, name in enumerate(names)
    ]


def _rows_in(document):
    """The rows of an input example in any of the forms in which mlflow writes one."""
    if isinstance(document, dict):
        for key in ("dataframe_split", "dataframe_records", "inputs", "instances"):
            if key in document:
                return _rows_in(document[key])
        if "data" in document and isinstance(document["data"], list):
            names = document.get("columns")
            rows = document["data"]
            return [dict(zip(map(str, names), row, strict=False)) for row in rows] if names else rows
        if document and all(isinstance(value, list) for value in document.values()):
            return [dict(zip(document, row, strict=False)) for row in zip(*document.values(), strict=False)]
        return [document]
    return document if isinstance(document, list) else []


def _row(one, columns):
    if isinstance(one, dict):
        cells = [one.get(column.name, one.get(str(i))) for i, column in enumerate(columns)]
    else:
        cells = list(one) if isinstance(one, list) else [one]
    if len(cells) != len(columns):
        return None
    return [_cell(cell, column) for cell, column in zip(cells, columns, strict=True)]


def _cell(cell, column):
    if column.kind == "string":
        return cell if isinstance(cell, str) else ""
    return float(cell) if isinstance(cell, (int, float)) else float("nan")


def example_rows(mlmodel, columns, most=256):
    """The rows the model was logged with, as far as they fit its columns."""
    for name in mlmodel.example_files:
        try:
            with open(inside(mlmodel.folder, name), encoding="utf-8") as file:
                document = json.loads(file.read(16 << 20))
        except (OSError, ValueError, RecursionError):
            continue
        rows = [_row(one, columns) for one in _rows_in(document)[:most]]
        kept = [row for row in rows if row is not None]
        if kept:
            return kept
    return []
