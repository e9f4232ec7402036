"""Does the ONNX model say what the Python model says?"""

from dataclasses import dataclass, field

import numpy as np

from .outcome import PARITY_FAILED, ConversionFailed

# Numbers may differ by this much absolutely, and by this much of the larger of them.
TOLERANCE = 1e-4
# Two classes as likely as that to the last digits of a 32-bit float: either of them is right.
_TIE = 1e-5


@dataclass
class Comparison:
    """What came of it; `bad` are the rows that differ, `ties` those whose two best classes are equally likely."""

    rows: int
    worst: dict | None = None
    size: float = 0.0
    bad: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    ties: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    labels_equal: bool = True

    @property
    def agrees(self):
        """Whether no row differs."""
        return not self.bad.any()


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return value.decode() if isinstance(value, bytes) else value


def _is_number(array):
    return array.dtype.kind in "iufb"


def _differences(expected, got):
    """For each row, the largest difference in tolerances; infinite where a number meets none."""
    expected = expected.reshape(len(expected), -1).astype(np.float64)
    got = got.reshape(len(got), -1).astype(np.float64)
    if expected.shape != got.shape:
        return None
    with np.errstate(all="ignore"):
        most = TOLERANCE * np.maximum(1.0, np.maximum(np.abs(expected), np.abs(got)))
        sizes = np.abs(expected - got) / most
    sizes[expected == got] = 0.0
    sizes[np.isnan(expected) & np.isnan(got)] = 0.0
    sizes[np.isnan(sizes)] = np.inf
    return sizes


def _labels_differ(expected, got):
    expected, got = expected.reshape(len(expected), -1), got.reshape(len(got), -1)
    if _is_number(expected) and _is_number(got):
        return (expected.astype(float) != got.astype(float)).any(axis=1)
    return (expected.astype(str) != got.astype(str)).any(axis=1)


def _ties(probabilities):
    if probabilities is None or probabilities.ndim != 2 or probabilities.shape[1] < 2:
        return None
    best = np.sort(probabilities, axis=1)
    return best[:, -1] - best[:, -2] < _TIE


def _is_label(expected, got):
    return not (_is_number(expected) and _is_number(got)) or got.dtype.kind in "iub"


def compare(expected, got):
    """Both by output name; outputs that were not expected are not compared."""
    rows = len(next(iter(expected.values())))
    result = Comparison(rows, bad=np.zeros(rows, dtype=bool), ties=np.zeros(rows, dtype=bool))
    shares = next((_ties(values) for values in expected.values() if values.ndim == 2 and _is_number(values)), None)
    worst_size = -1.0
    for name, wanted in expected.items():
        given = got[name]
        if len(given) != rows:
            raise _shapes_differ(name, wanted, given)
        if _is_label(wanted, given):
            differ = _labels_differ(wanted, given)
            if shares is not None:
                result.ties |= shares
                differ &= ~shares
            sizes = np.where(differ, np.inf, 0.0)[:, None]
            result.labels_equal &= not differ.any()
        else:
            sizes = _differences(wanted, given)
            if sizes is None:
                raise _shapes_differ(name, wanted, given)
        result.bad |= (sizes > 1).any(axis=1)
        row, column = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
        if sizes[row, column] > worst_size:
            worst_size = float(sizes[row, column])
            result.size = worst_size
            result.worst = _told(name, int(row), int(column), wanted, given)
    return result


def _shapes_differ(name, wanted, given):
    return ConversionFailed(
        PARITY_FAILED,
        f"output {name} of the ONNX form has shape {list(given.shape)}, the Python model's answer {list(wanted.shape)}; serve "
        "the model with an image of your own (spec.runtime)",
    )


def _told(name, row, column, wanted, given):
    one = _plain(wanted.reshape(len(wanted), -1)[row, column])
    other = _plain(given.reshape(len(given), -1)[row, column])
    numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
    difference = abs(one - other) if numbers else None
    return {"output": name, "row": row, "expected": one, "got": other, "difference": difference}


def failure(comparison, columns, table):
    """The words for a disagreement: the worst row, column by column."""
    worst = comparison.worst
    cells = ", ".join(
        f"{column.name}={_plain(value) if isinstance(value, str) else format(float(value), '.9g')}"
        for column, value in zip(columns, table.row(worst["row"]), strict=True)
    )
    return ConversionFailed(
        PARITY_FAILED,
        f"{int(comparison.bad.sum())} of {comparison.rows} rows get another answer from ONNX than from Python; the worst is "
        f"output {worst['output']}: expected {worst['expected']!r}, got {worst['got']!r} for {{{cells[:500]}}}; serve the model "
        "with an image of your own (spec.runtime), or export it to ONNX in the training",
    )
