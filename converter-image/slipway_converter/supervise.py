"""Runs the work in a process of its own, watches it, and believes nothing it says without a look."""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time

from .outcome import (
    FORMAT_NOT_SERVABLE,
    INTERNAL_ERROR,
    INVALID_MODEL,
    OUT_OF_MEMORY,
    PARITY_FAILED,
    TIMEOUT,
    ConversionFailed,
    cut,
)

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_MAX_REPORT = 64 * 1024
_MAX_LOG = 64 * 1024
_MAX_SCRATCH = 2 * 1024**3 + 256 * 1024**2
_BLOCK = 4096
_LOOK_EVERY = 0.5
_LOOK_AT_THE_END = 0.02
# What the process with the model may say went wrong; the rest is for us to say.
_ITS_REASONS = (FORMAT_NOT_SERVABLE, PARITY_FAILED, INVALID_MODEL, OUT_OF_MEMORY, INTERNAL_ERROR)
_STAGES = {
    "start": "before it read the model",
    "load": "while it was loading the model",
    "convert": "while it was converting the model",
    "proof": "while it was comparing the answers",
}


class _Heard:
    """What came through a pipe: the first bytes up to a limit; the rest is dropped."""

    def __init__(self, limit, echo=None):
        self.bytes = b""
        self.limit = limit
        self.echo = echo

    def add(self, chunk):
        """Keeps what there is room for."""
        kept = chunk[: max(0, self.limit - len(self.bytes))]
        self.bytes += kept
        if self.echo is not None and kept:
            self.echo(kept)


def _reported(lines):
    """The last stage and the final report, if there is one of the right shape."""
    stage, report = "start", None
    for line in lines.split(b"\n"):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(said, dict):
            continue
        if said.get("stage") in _STAGES:
            stage = said["stage"]
        if isinstance(said.get("ok"), bool) and isinstance(said.get("message"), str):
            report = said
    return stage, report


def _listed(folder):
    """Names, sizes and whether it is a folder, of all that lies in it; nothing of a folder that is gone."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    size = entry.stat(follow_symlinks=False).st_blocks * 512
                    found.append((entry.path, size, entry.is_dir(follow_symlinks=False)))
    except (FileNotFoundError, NotADirectoryError):
        pass
    return found


def _is_too_much(folder):
    """Whether more lies below the folder than may. A name costs a block, and what cannot be looked into is too much."""
    total, folders = 0, [folder]
    while folders:
        try:
            found = _listed(folders.pop())
        except OSError:
            return True
        total += sum(max(size, _BLOCK) for _, size, _ in found)
        if total > _MAX_SCRATCH:
            return True
        folders += [path for path, _, is_folder in found if is_folder]
    return False


def _written_by(pid):
    """Bytes it has written to disks, to files without a name too; 0 where the kernel does not count them."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            counts = dict(line.split(": ") for line in file.read().splitlines())
        return int(counts["write_bytes"])
    except (OSError, ValueError, KeyError):
        return 0


def _echo(chunk):
    text = chunk.decode("utf-8", "replace")
    sys.stderr.write("".join(c if c.isprintable() or c in "\n\t" else " " for c in text))


def _spawn(work):
    """Forks; the child runs `work(write descriptor)` and never returns. Gives its pid and both pipes' read ends."""
    report_read, report_write = os.pipe()
    log_read, log_write = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(report_write)
        os.close(log_write)
        return pid, report_read, log_read
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(log_write, 1)
        os.dup2(log_write, 2)
        work(report_write)
        code = 0
    finally:
        os._exit(code)


def _kill(pid):
    for target in (lambda: os.killpg(pid, signal.SIGKILL), lambda: os.kill(pid, signal.SIGKILL)):
        try:
            target()
        except OSError:
            continue


def _reap_others():
    """Ends whatever the process has left behind: as its subreaper we are the parent of it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                left = [int(word) for word in file.read().split()]
        except OSError:
            return
        if not left:
            return
        for pid in left:
            _kill(pid)
            try:
                os.waitpid(pid, 0)
            except OSError:
                continue


def _has_ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _hear(by_pipe, seconds):
    """What comes through the pipes within so many seconds; whether anything did."""
    ready, _, _ = select.select(list(by_pipe), [], [], seconds)
    for pipe in ready:
        chunk = os.read(pipe, 1 << 16)
        if chunk:
            by_pipe[pipe].add(chunk)
        else:
            del by_pipe[pipe]
    return bool(ready)


def _watch(pid, report_read, log_read, seconds, scratch):
    """Until it has ended, with its pipes closed or not, or has to be killed. Gives why it has, and what it said."""
    report, log = _Heard(_MAX_REPORT), _Heard(_MAX_LOG, _echo)
    by_pipe = {report_read: report, log_read: log}
    deadline = time.monotonic() + seconds
    next_look = 0.0
    while True:
        now = time.monotonic()
        if now >= deadline:
            return TIMEOUT, report.bytes
        if now >= next_look:
            if _is_too_much(scratch) or _written_by(pid) > _MAX_SCRATCH:
                return "size", report.bytes
            next_look = time.monotonic() + _LOOK_EVERY
        # Without pipes there is nothing that would wake us.
        pause = _LOOK_EVERY if by_pipe else _LOOK_AT_THE_END
        if not _hear(by_pipe, min(deadline - now, pause)) and _has_ended(pid):
            return None, report.bytes


def _death(status, stage):
    """How a process ended that has not said how it went."""
    where = _STAGES[stage]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            cure = "give the conversion more memory or make the model smaller"
            return ConversionFailed(OUT_OF_MEMORY, f"the conversion was killed {where}, most likely for its memory; {cure}")
        if number == signal.SIGXCPU:
            return ConversionFailed(TIMEOUT, f"the conversion had used up its processor time {where}")
        name = signal.Signals(number).name if number in signal.valid_signals() else str(number)
        return ConversionFailed(INVALID_MODEL, f"the conversion died of {name} {where}")
    code = os.waitstatus_to_exitcode(status)
    reason = INTERNAL_ERROR if stage == "start" else INVALID_MODEL
    return ConversionFailed(reason, f"the conversion ended with status {code} and without a report {where}")


def run_apart(work, seconds, scratch):
    """
    The message of the work that was done in a process of its own. Raises ConversionFailed: what it reported, or how it
    ended. When this returns or raises, nothing of it runs any more.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Whoever runs with our user id shall not read or write our memory.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    pid, report_read, log_read = _spawn(work)
    try:
        killed, said = _watch(pid, report_read, log_read, seconds, scratch)
        if killed is not None:
            _kill(pid)
        status = os.waitpid(pid, 0)[1]
    finally:
        _kill(pid)
        _reap_others()
        os.close(report_read)
        os.close(log_read)
    stage, report = _reported(said)
    if killed == TIMEOUT:
        raise ConversionFailed(TIMEOUT, f"the conversion did not end within {seconds:g} s; it was stopped {_STAGES[stage]}")
    if killed == "size":
        raise ConversionFailed(INVALID_MODEL, f"the process wrote more than 2 GB {_STAGES[stage]}; it was stopped")
    if report is None:
        raise _death(status, stage)
    if report["ok"]:
        return cut(report["message"])
    reason = report.get("reason")
    raise ConversionFailed(reason if reason in _ITS_REASONS else INTERNAL_ERROR, cut(report["message"]))
