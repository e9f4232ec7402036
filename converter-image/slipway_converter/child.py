"""The work, in the process that gives up everything before it reads the model."""

import json
import os
import sys
import time

from . import sandbox
from .outcome import INTERNAL_ERROR, OUT_OF_MEMORY, ConversionFailed, cut


class _Channel:
    """What the parent hears: the stage, and one report at the end."""

    def __init__(self, fd):
        self.fd = fd

    def _send(self, document):
        os.write(self.fd, json.dumps(document).encode() + b"\n")

    def stage(self, name):
        """From now on this is what goes on."""
        self._send({"stage": name})

    def report(self, message, reason=None):
        """How it went."""
        self._send({"ok": reason is None, "reason": reason, "message": cut(message)})


def _libraries(folder):
    """Folders that may be read besides the model's."""
    return (os.path.realpath(folder),)


def convert_in_sandbox(settings, scratch, report_fd):
    """Never raises: whatever happens is reported."""
    started = time.monotonic()
    channel = _Channel(report_fd)
    try:
        sandbox.enter(
            settings.model_dir,
            scratch,
            {report_fd},
            settings.seconds,
            settings.memory_bytes,
            _libraries(settings.libraries_dir),
        )
        from .work import Work

        message = Work(settings, scratch, channel.stage, started).run()
        sys.stderr.flush()
        channel.report(message)
    except ConversionFailed as failed:
        channel.report(failed.message, failed.reason)
    except MemoryError:
        channel.report("the conversion needs more memory than it has; give it more or make the model smaller", OUT_OF_MEMORY)
    except BaseException as error:  # noqa: BLE001 - the parent shall hear of everything
        import traceback

        traceback.print_exc(limit=-8)
        channel.report(f"{type(error).__name__}: {error}", INTERNAL_ERROR)
