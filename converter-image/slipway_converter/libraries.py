"""Which versions of the libraries of a model the image has, and which of them the model is loaded with."""

import os
import re
import sys

from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed

# What the packages of a model's requirements are called, and the key of the flavour that says the same.
_NAMES = {
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",),
}
_FLAVOR_KEYS = {"scikit-learn": "sklearn_version", "xgboost": "xgb_version", "lightgbm": "lgb_version"}
# Newer ones read what older ones wrote, within these majors.
_READS_OLDER = ("xgboost", "lightgbm")


def _numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def available(libraries_dir):
    """Versions by library, the newest first."""
    found = {}
    for name in _NAMES:
        try:
            versions = os.listdir(os.path.join(libraries_dir, name))
        except OSError:
            versions = []
        found[name] = sorted((v for v in versions if _numbers(v)), key=_numbers, reverse=True)
    return found


def wanted(mlmodel):
    """The version of each library that the model was made with, as far as it tells."""
    found = {}
    for library, names in _NAMES.items():
        version = next((mlmodel.requirements[name] for name in names if name in mlmodel.requirements), None)
        version = version or mlmodel.conf.get(_FLAVOR_KEYS[library])
        if isinstance(version, str) and _numbers(version):
            found[library] = version
    return found


def choose(library, version, have):
    """The one of `have` that reads what `version` wrote; None when there is none."""
    if version is None:
        return have[0] if have else None
    if version in have:
        return version
    numbers = _numbers(version)
    same_minor = [one for one in have if _numbers(one)[:2] == numbers[:2]]
    if same_minor:
        return same_minor[0]
    if library not in _READS_OLDER:
        return None
    later = [one for one in have if _numbers(one) > numbers]
    return later[-1] if later else None


def select(libraries_dir, wanted_versions):
    """Puts the chosen versions on sys.path; gives them by library. Raises ConversionFailed for one that is not there."""
    have = available(libraries_dir)
    chosen = {}
    for library in _NAMES:
        version = wanted_versions.get(library)
        found = choose(library, version, have[library])
        if found is None and version is not None:
            there = ", ".join(have[library]) or "none"
            cure = "train and log the model with one of those, or serve it with an image of your own (spec.runtime)"
            raise ConversionFailed(
                FORMAT_NOT_SERVABLE,
                f"the model was made with {library} {version[:40]}; the converter has {there}; {cure}",
            )
        if found is not None:
            chosen[library] = found
    for library, version in chosen.items():
        sys.path.insert(0, os.path.join(libraries_dir, library, version))
    return chosen
