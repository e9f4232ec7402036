"""`slipway-converter`: MODEL_DIR in, OUTPUT_DIR and the termination message out. Nothing of the model runs in this process."""

import contextlib
import json
import os
import shutil
import sys
import tempfile

from .deliver import deliver, empty, read_small
from .outcome import INTERNAL_ERROR, INVALID_MODEL, ConversionFailed, termination
from .settings import settings_from
from .supervise import run_apart


def _say(path, reason, message):
    encoded = termination(reason, message)
    print(encoded.decode(), flush=True)
    try:
        with open(path, "wb") as file:
            file.write(encoded)
    except OSError as error:
        # Outside a pod there is none; the line above has said it.
        print(f"{path} cannot be written: {error.strerror}", file=sys.stderr)


def _work(settings, scratch):
    def inside(report_fd):
        # Imported here, so that this process never has it: it ends in the libraries that run the model.
        from .child import convert_in_sandbox

        convert_in_sandbox(settings, scratch, report_fd)

    return inside


def _check(scratch):
    """The small files are JSON objects; what is in them the next container proves."""
    for name in ("signature.json", "examples.json", "conversion.json"):
        try:
            if isinstance(json.loads(read_small(scratch, name)), dict):
                continue
        except (ValueError, RecursionError):
            pass
        raise ConversionFailed(INVALID_MODEL, f"the process that held the model left {name} that is no JSON object")


def _convert(settings):
    empty(settings.output_dir)
    scratch = tempfile.mkdtemp(prefix="slipway-")
    try:
        message = run_apart(_work(settings, scratch), settings.seconds, scratch)
        _check(scratch)
        deliver(scratch, settings.output_dir)
        return message
    finally:
        # Folders in folders without end are left to who takes the pod away.
        with contextlib.suppress(RecursionError):
            shutil.rmtree(scratch, ignore_errors=True)


def main():
    """Runs the conversion and tells how it went; gives the exit code."""
    log = os.environ.get("TERMINATION_LOG", "/dev/termination-log")
    try:
        message = _convert(settings_from())
    except ConversionFailed as failed:
        _say(log, failed.reason, failed.message)
        return failed.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, the condition shall say it
        _say(log, INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        return 1
    _say(log, "Converted", message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
