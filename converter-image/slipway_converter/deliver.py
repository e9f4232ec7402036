"""From the scratch folder of a process that nobody trusts to the folder that the next container reads."""

import os
import shutil
import stat

from .outcome import INVALID_MODEL, ConversionFailed

MODEL_FILE = "model.onnx"
_SMALL = 4 * 1024**2
# What is written last says that the rest is there.
FILES = {
    MODEL_FILE: 2 * 1024**3,
    "signature.json": _SMALL,
    "examples.json": _SMALL,
    "conversion.json": _SMALL,
}
_CHUNK = 1 << 20


def empty(folder):
    """Takes out whatever lies in the folder; never follows a link."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _refused(name, problem):
    return ConversionFailed(INVALID_MODEL, f"the process that held the model left {name} {problem}; nothing was kept")


def _opened(folder_fd, name, most):
    """The file, once it is known to be a plain one of a size we take."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError as error:
        raise _refused(name, f"unreadable ({os.strerror(error.errno)}); expected a regular file") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(fd)
        raise _refused(name, "as something else than a regular file of its own")
    if not 0 < found.st_size <= most:
        os.close(fd)
        raise _refused(name, f"with {found.st_size} bytes; expected 1 to {most}")
    return fd


def _copy(source, target_path, most):
    """Copies at most so many bytes, however the file grows meanwhile."""
    target = os.open(target_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    copied = 0
    try:
        while chunk := os.read(source, _CHUNK):
            copied += len(chunk)
            if copied > most:
                raise _refused(os.path.basename(target_path), f"with more than {most} bytes")
            view = memoryview(chunk)
            while view:
                view = view[os.write(target, view) :]
        os.fsync(target)
    finally:
        os.close(target)


def read_small(scratch, name):
    """The bytes of one of the small files, which the process has left."""
    folder = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fd = _opened(folder, name, FILES[name])
    finally:
        os.close(folder)
    with os.fdopen(fd, "rb") as file:
        return file.read(FILES[name] + 1)


def deliver(scratch, output_dir):
    """Empties the output folder and puts the four files there, under their names only once all are whole."""
    empty(output_dir)
    folder = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name, most in FILES.items():
            source = _opened(folder, name, most)
            try:
                _copy(source, os.path.join(output_dir, f".{name}.partial"), most)
            finally:
                os.close(source)
        for name in FILES:
            os.rename(os.path.join(output_dir, f".{name}.partial"), os.path.join(output_dir, name))
    except BaseException:
        empty(output_dir)
        raise
    finally:
        os.close(folder)
