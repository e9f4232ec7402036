"""What the process gives up before it touches the model; nothing of it can be had back."""

import ctypes
import os
import resource
import sys

from . import landlock, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_SIGKILL = 9

MAX_FILE_BYTES = 2 * 1024**3
_MAX_THREADS = 4096
_MAX_FILES = 512

# What the interpreter and its libraries read.
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/opt", "/etc/ld.so.cache", "/etc/localtime",
    "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
)  # fmt: skip


def _limit(kind, value):
    _, hard = resource.getrlimit(kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


def _set_limits(seconds, memory_bytes):
    # No core file holds the model, and no file grows without end.
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _limit(resource.RLIMIT_NPROC, _MAX_THREADS)
    _limit(resource.RLIMIT_NOFILE, _MAX_FILES)
    _limit(resource.RLIMIT_CPU, max(1, int(seconds)) * (os.cpu_count() or 1) + 10)
    if memory_bytes is not None:
        # A MemoryError can be told; the kernel's killer leaves nobody to tell it.
        _limit(resource.RLIMIT_DATA, memory_bytes)


def _close_others(keep):
    least = 3
    for fd in sorted(keep):
        os.closerange(least, fd)
        least = fd + 1
    os.closerange(least, 65536)


def _readable(model_dir):
    code = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    interpreter = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    paths = {os.path.realpath(path) for path in (*interpreter, *filter(None, sys.path))}
    return (*_SYSTEM, *sorted(paths), code, os.path.realpath(model_dir))


def enter(model_dir, scratch, keep, seconds, memory_bytes=None, libraries=()):
    """
    Leaves this process with the model, `scratch` and the descriptors in `keep`: no network, no other process, no
    environment. Raises ConversionFailed when the kernel does not grant that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.environ.clear()
    os.environ.update(
        HOME=scratch, TMPDIR=scratch, PATH="/usr/bin:/bin", LC_ALL="C.UTF-8",
        OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", JOBLIB_MULTIPROCESSING="0", MPLCONFIGDIR=scratch,
    )  # fmt: skip
    os.chdir(scratch)
    _close_others(keep)
    _set_limits(seconds, memory_bytes)
    seccomp.install()
    landlock.restrict((*_readable(model_dir), *libraries), (scratch,))
