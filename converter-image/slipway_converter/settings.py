"""The settings of the program, from its environment."""

import os
from dataclasses import dataclass

from .outcome import INTERNAL_ERROR, ConversionFailed

# Kept for this process, the interpreter and what the kernel counts as ours.
_HEADROOM = 96 * 1024**2
_CGROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Settings:
    """Where the model is, where the result goes, and what the conversion may use."""

    model_dir: str
    output_dir: str
    seconds: float
    memory_bytes: int | None
    libraries_dir: str
    termination_log: str


def _memory_of_cgroup():
    for path in _CGROUP_FILES:
        try:
            with open(path, encoding="ascii") as file:
                text = file.read(64).strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < 1 << 50:
            return max(int(text) - _HEADROOM, int(text) // 2)
    return None


def _number(environment, name, default):
    text = environment.get(name, "")
    if text == "":
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e15:
        raise ConversionFailed(INTERNAL_ERROR, f"{name} is {text[:40]!r}; expected a number above 0")
    return value


def settings_from(environment=os.environ):
    """Raises ConversionFailed naming the variable that is not as expected."""
    memory = _number(environment, "CONVERT_MEMORY_BYTES", None)
    return Settings(
        model_dir=environment.get("MODEL_DIR", "/model"),
        output_dir=environment.get("OUTPUT_DIR", "/derived"),
        seconds=_number(environment, "CONVERT_TIMEOUT_SECONDS", 600.0),
        memory_bytes=_memory_of_cgroup() if memory is None else int(memory),
        libraries_dir=environment.get("LIBRARIES_DIR", "/opt/libraries"),
        termination_log=environment.get("TERMINATION_LOG", "/dev/termination-log"),
    )
