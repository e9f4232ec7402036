"""What the model itself says, asked as mlflow asks it."""

import warnings

import numpy as np

from .columns import final_step, is_text_model, own_names
from .outcome import INVALID_MODEL, ConversionFailed


def _is(model, kind):
    """`classifier`, `regressor`, `clusterer`, `outlier_detector`, whichever way this version says it."""
    final = final_step(model)
    if getattr(final, "_estimator_type", None) == kind:
        return True
    try:
        from sklearn.utils import get_tags

        return get_tags(final).estimator_type == kind
    except Exception:  # noqa: BLE001 - older versions, and boosters
        return False


class Original:
    """Asks the Python model; the answers have the shapes that its ONNX form gives."""

    def __init__(self, model, columns):
        self.model = model
        self.columns = columns
        self.names = own_names(model)
        self.is_text = is_text_model(model)
        self.is_classifier = _is(model, "classifier")
        self.classes = np.asarray(model.classes_) if self.is_classifier and hasattr(model, "classes_") else None

    def _given(self, table):
        if self.is_text:
            return [str(value) for value in table.arrays[0]]
        if self.names is not None:
            import pandas

            return pandas.DataFrame(
                {column.name: _typed(array, column) for column, array in zip(self.columns, table.arrays, strict=True)}
            )
        if any(array.dtype == object for array in table.arrays):
            return np.array([list(row) for row in zip(*table.arrays, strict=True)], dtype=object)
        return np.column_stack(table.arrays)

    def call(self, method, table):
        """The answer of one of the model's methods."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return getattr(self.model, method)(self._given(table))

    def accepts(self, table):
        """Whether the model answers these rows at all, and with numbers."""
        try:
            answer = np.asarray(self.call(self.main_method(), table))
            return answer.dtype.kind not in "fc" or bool(np.isfinite(answer).all())
        except Exception:  # noqa: BLE001 - a refusal, in whatever form
            return False

    def main_method(self):
        """`predict`, or `transform` for what only transforms."""
        return "predict" if hasattr(self.model, "predict") else "transform"

    def answers(self, table, outputs):
        """The expected value of each ONNX output, by name; an output that the model has no method for is left out."""
        try:
            main = np.asarray(self.call(self.main_method(), table))
        except Exception as error:  # noqa: BLE001 - the model's code
            raise ConversionFailed(
                INVALID_MODEL, f"the model cannot predict rows of its own columns: {type(error).__name__}: {error}"
            ) from None
        found = {outputs[0]: main}
        for name in outputs[1:]:
            method = self._method_for(name)
            if method is None:
                continue
            answer = self.call(method, table)
            if not isinstance(answer, list):
                found[name] = np.asarray(answer)
        return found

    def _method_for(self, output):
        if self.is_classifier:
            candidates = ("predict_proba",)
        elif output.startswith("score"):
            candidates = ("transform",) if _is(self.model, "clusterer") else ("decision_function",)
        elif output.startswith("prob"):
            candidates = ("predict_proba",)
        else:
            candidates = ()
        return next((method for method in candidates if hasattr(self.model, method)), None)


def _typed(array, column):
    if column.kind == "integer" and np.isfinite(array.astype(float)).all():
        return array.astype(np.int64)
    if column.kind == "bool" and np.isfinite(array.astype(float)).all():
        return array.astype(bool)
    return array
