"""The file by which MLflow describes a model folder, as far as the conversion needs it."""

import json
import os
from dataclasses import dataclass, field

from .outcome import FORMAT_NOT_SERVABLE, INVALID_MODEL, ConversionFailed

_MAX_BYTES = 4 * 1024**2
FLAVORS = ("sklearn", "xgboost", "lightgbm")


@dataclass(frozen=True)
class Column:
    """A column of MLflow's signature; `type` in MLflow's words."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True)
class MLmodel:
    """Which flavour, where its data is, and what the folder tells besides."""

    flavor: str
    conf: dict
    folder: str
    columns: tuple[Column, ...] = ()
    example_files: tuple[str, ...] = ()
    requirements: dict[str, str] = field(default_factory=dict)


def inside(folder, path):
    """The path of a file that MLmodel names. Raises ConversionFailed when it leaves the folder."""
    root = os.path.realpath(folder)
    full = os.path.realpath(os.path.join(root, str(path)))
    if full != root and not full.startswith(root + os.sep):
        raise ConversionFailed(INVALID_MODEL, f"MLmodel names {str(path)[:200]!r}, which is outside its folder")
    return full


def _yaml(path):
    import yaml

    try:
        if os.path.getsize(path) > _MAX_BYTES:
            raise ConversionFailed(INVALID_MODEL, f"MLmodel has more than {_MAX_BYTES} bytes")
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise ConversionFailed(INVALID_MODEL, "the model's folder has no MLmodel file; log the model with mlflow") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        raise ConversionFailed(INVALID_MODEL, "MLmodel is not YAML") from None


def _columns(document):
    """The columns of the signature; none when it has none or speaks of tensors."""
    signature = document.get("signature")
    text = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        listed = json.loads(text) if isinstance(text, str) else []
    except ValueError:
        return ()
    columns = []
    for item in listed if isinstance(listed, list) else []:
        name, kind = (item.get("name"), item.get("type")) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str) or name == "" or not isinstance(kind, str):
            return ()
        columns.append(Column(name, kind, item.get("required") is not False))
    return tuple(columns)


def _examples(document):
    """Files with rows the model was logged with, the better form first."""
    info = document.get("saved_input_example_info")
    names = [info.get("artifact_path"), info.get("serving_input_path")] if isinstance(info, dict) else []
    return tuple(name for name in names if isinstance(name, str))


def _requirements(folder):
    """Pinned versions of requirements.txt by package name."""
    found = {}
    try:
        with open(os.path.join(folder, "requirements.txt"), encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).split("\n")
    except OSError:
        return found
    for line in lines:
        name, equals, version = line.split("#")[0].split(";")[0].partition("==")
        if equals:
            found[name.split("[")[0].strip().lower().replace("_", "-")] = version.strip()
    return found


def read_mlmodel(folder):
    """Raises ConversionFailed when the folder is no model of a flavour that is converted."""
    document = _yaml(os.path.join(folder, "MLmodel"))
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavors, dict):
        raise ConversionFailed(INVALID_MODEL, "MLmodel has no flavors; expected what mlflow writes")
    flavor = next((name for name in FLAVORS if isinstance(flavors.get(name), dict)), None)
    if flavor is None:
        have = ", ".join(sorted(str(name)[:40] for name in flavors)) or "none"
        cure = "export the model to ONNX and log it with mlflow.onnx, or serve it with an image of your own (spec.runtime)"
        raise ConversionFailed(
            FORMAT_NOT_SERVABLE, f"the model has the flavours {have}; {', '.join(FLAVORS)} are converted; {cure}"
        )
    return MLmodel(
        flavor=flavor,
        conf=flavors[flavor],
        folder=folder,
        columns=_columns(document),
        example_files=_examples(document),
        requirements=_requirements(folder),
    )
