"""The steps of a model by the names its author gave them, and those among them that have no ONNX form."""

import sys

from .boosters import is_booster
from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed
from .stubs import is_stub

_CURES = {
    "FunctionTransformer": "compute that before the model is called, or use a transformer of scikit-learn that does it",
    "TargetEncoder": "use sklearn.preprocessing.OneHotEncoder or OrdinalEncoder",
}
_OWN_RUNTIME = "or serve the model with an image of your own (spec.runtime)"


def class_name(kind):
    """`sklearn.linear_model.LogisticRegression`: as people import it."""
    parts = kind.__module__.split(".")
    private = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    public = parts[: max(1, private)]
    package = sys.modules.get(parts[0])
    if parts[0] != "sklearn" and package is not None and hasattr(package, kind.__name__):
        public = parts[:1]
    return ".".join([*public, kind.__name__])


def _named_parts(model):
    """What a model is made of: (kind of part, its name, the part)."""
    if isinstance(model, str) or model is None:
        return []
    steps = getattr(model, "steps", None)
    if isinstance(steps, list):
        return [("pipeline step", name, part) for name, part in steps]
    fitted = getattr(model, "transformers_", None)
    if isinstance(fitted, list):
        return [("column transformer step", name, part) for name, part, _ in fitted]
    union = getattr(model, "transformer_list", None)
    if isinstance(union, list):
        return [("feature union step", name, part) for name, part in union]
    listed = getattr(model, "named_estimators_", None)
    if isinstance(listed, dict):
        final = getattr(model, "final_estimator_", None)
        parts = [("estimator", name, part) for name, part in listed.items()]
        return parts if final is None else [*parts, ("final estimator", "final_estimator", final)]
    inner = getattr(model, "best_estimator_", None)
    return [] if inner is None else [("best estimator", "best_estimator_", inner)]


def walk(model, label=None, depth=0):
    """Every step with the words for where it stands; the whole model has none."""
    yield label, model
    for kind, name, part in _named_parts(model) if depth < 8 else []:
        if isinstance(part, str) or part is None:
            continue
        yield from walk(part, f'{kind} "{str(name)[:60]}"', depth + 1)


def _converted_classes():
    from skl2onnx._supported_operators import sklearn_operator_name_map

    return set(sklearn_operator_name_map)


def _is_container(model):
    return bool(_named_parts(model))


def _why_not(model, known):
    if hasattr(model, "build_analyzer"):
        return "no operator that is served cuts a text into words as it does"
    if is_stub(model):
        return f"the converter has no package {type(model).__module__.split('.')[0]}"
    if type(model) in known or is_booster(model) or _is_container(model):
        return None
    return "it has no ONNX form"


def unsupported(label, model, why):
    """The failure that names the step and the cure."""
    name = class_name(type(model))
    step = f"{label} ({name})" if label else name
    cure = _CURES.get(type(model).__name__, "use a step of scikit-learn, xgboost or lightgbm in docs/models.md")
    return ConversionFailed(FORMAT_NOT_SERVABLE, f"{step} is not converted: {why}; {cure}, {_OWN_RUNTIME}")


def check_steps(model):
    """Raises ConversionFailed for the first step that has no ONNX form."""
    known = _converted_classes()
    for label, part in walk(model):
        why = _why_not(part, known)
        if why is not None:
            raise unsupported(label, part, why)


def names_of_steps(model):
    """The classes a model is made of, outermost first; at most 64."""
    return [class_name(type(part)) for _, part in walk(model)][:64]
