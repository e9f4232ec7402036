"""Stand-ins for packages that the image does not have, so that a pipeline with a step of them can be read and the step named."""

import importlib.abc
import importlib.machinery
import sys
import types


class _StubMeta(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return make_stub(cls.__module__, name)


class Stub(metaclass=_StubMeta):
    """An object of a class that is not there."""

    is_slipway_stub = True

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return self

    def __setstate__(self, state):
        if isinstance(state, dict):
            self.__dict__.update(state)


def make_stub(module, name):
    """A class of this name, as pickles ask for it."""
    return _StubMeta(name, (Stub,), {"__module__": module})


class _StubModule(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = make_stub(self.__name__, name)
        setattr(self, name, made)
        return made


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, package):
        self.package = package

    def find_spec(self, fullname, path=None, target=None):
        """Everything in the package is there."""
        if fullname == self.package or fullname.startswith(self.package + "."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        """A module whose every name is a class."""
        return _StubModule(spec.name)

    def exec_module(self, module):
        """Nothing runs."""


def stand_in(package):
    """From now on the package and all that is in it can be imported."""
    sys.meta_path.append(_Finder(package.split(".")[0]))


def is_stub(value):
    """Whether this object, or class, is a stand-in."""
    return getattr(value, "is_slipway_stub", False) is True
