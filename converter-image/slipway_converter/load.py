"""From the files of a model folder to the model as Python has it. Runs foreign code: only inside the sandbox."""

import os
import sys

from .mlmodel import inside
from .outcome import FORMAT_NOT_SERVABLE, INVALID_MODEL, OUT_OF_MEMORY, ConversionFailed
from .stubs import stand_in

_MOST_STAND_INS = 16
_CURE = "log the model again, or serve it with an image of your own (spec.runtime)"


def _pickled(path):
    import pickle

    with open(path, "rb") as file:
        return pickle.load(file)


def _skops(path):
    import skops.io

    # What MLmodel trusts is written by whoever wrote the model; here the sandbox is what makes it safe.
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def _file_of(mlmodel, key, default):
    path = inside(mlmodel.folder, mlmodel.conf.get(key) or default)
    if not os.path.isfile(path):
        name = os.path.relpath(path, os.path.realpath(mlmodel.folder))
        raise ConversionFailed(INVALID_MODEL, f"MLmodel names the file {name[:200]!r}, which is not there; {_CURE}")
    return path


def _serialized(mlmodel, path, default):
    form = mlmodel.conf.get("serialization_format") or default
    if form == "skops" or path.endswith(".skops"):
        return _skops(path)
    return _pickled(path)


def _sklearn(mlmodel):
    return _serialized(mlmodel, _file_of(mlmodel, "pickled_model", "model.pkl"), "pickle")


def _class_named(path):
    import importlib

    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _xgboost(mlmodel):
    name = str(mlmodel.conf.get("model_class") or "xgboost.core.Booster")
    path = _file_of(mlmodel, "data", "model.xgb")
    if not name.startswith("xgboost."):
        raise ConversionFailed(FORMAT_NOT_SERVABLE, f"MLmodel names the class {name[:100]!r}; expected one of xgboost; {_CURE}")
    if path.endswith(".pkl"):
        return _pickled(path)
    model = _class_named(name)()
    model.load_model(path)
    return model


def _lightgbm(mlmodel):
    name = mlmodel.conf.get("model_class") or "lightgbm.basic.Booster"
    if name != "lightgbm.basic.Booster":
        return _serialized(mlmodel, _file_of(mlmodel, "data", "model.pkl"), "cloudpickle")
    import lightgbm

    return lightgbm.Booster(model_file=_file_of(mlmodel, "data", "model.lgb"))


_LOADERS = {"sklearn": _sklearn, "xgboost": _xgboost, "lightgbm": _lightgbm}


def _add_code(mlmodel):
    """Modules that were logged with the model (`code_paths`)."""
    code = mlmodel.conf.get("code")
    if isinstance(code, str) and code != "":
        sys.path.insert(0, inside(mlmodel.folder, code))


def _missing_package(error):
    """The package that was not there, or None when that was not it."""
    name = getattr(error, "name", None)
    return name.split(".")[0] if isinstance(error, ModuleNotFoundError) and isinstance(name, str) else None


def _what_happened(error):
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, PermissionError) or "Operation not permitted" in text:
        return f"{text} (what reads a model has no network, no other files and may start no process)"
    return text


def load_model(mlmodel):
    """The model. Raises ConversionFailed; packages that are missing are stood in for, so that the step can be named."""
    _add_code(mlmodel)
    missing = []
    while True:
        try:
            return _LOADERS[mlmodel.flavor](mlmodel), missing
        except ConversionFailed:
            raise
        except MemoryError:
            raise ConversionFailed(OUT_OF_MEMORY, "loading the model needs more memory than the conversion has") from None
        except Exception as error:  # noqa: BLE001 - it is the model's code that raised
            package = _missing_package(error)
            if package is None or package in missing or len(missing) >= _MOST_STAND_INS:
                raise ConversionFailed(INVALID_MODEL, f"the model cannot be loaded: {_what_happened(error)}; {_CURE}") from None
            missing.append(package)
            stand_in(package)
