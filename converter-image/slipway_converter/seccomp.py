"""A system call filter that cannot be taken off again: no network, no other process."""

import ctypes
import os
import struct

from .outcome import INTERNAL_ERROR, ConversionFailed
from .syscalls import machine_calls

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
_EPERM, _ENOSYS, _EOPNOTSUPP = 1, 38, 95
_CLONE_THREAD = 0x10000
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

# Answered by their first argument, or as if the kernel did not know them.
_SPECIAL = ("clone", "clone3", "tgkill", "prlimit64", "prctl", "fallocate")


def _instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def _refuse(number, error=_EPERM):
    """Two instructions: this call ends with this error."""
    return [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ERRNO | error)]


def _when_first(number, value):
    """This call is refused when this is its first argument."""
    body = [
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_EQUAL, value, 0, 1),
        _instruction(_RETURN, _ERRNO | _EPERM),
        _instruction(_RETURN, _ALLOW),
    ]
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def _unless(number, tests):
    """This call is refused unless its first argument passes one of the tests (code, value)."""
    body = [_instruction(_LOAD, _FIRST_ARGUMENT)]
    for code, value in tests:
        body += [_instruction(code, value, 0, 1), _instruction(_RETURN, _ALLOW)]
    body.append(_instruction(_RETURN, _ERRNO | _EPERM))
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def program(machine, own_pid):
    """The filter for this machine, as the kernel reads it; None where we know no numbers of its calls."""
    known = machine_calls(machine)
    if known is None:
        return None
    audit, calls = known
    lines = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, audit, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [_instruction(_AT_LEAST, _X32_BIT, 0, 1), _instruction(_RETURN, _ERRNO | _EPERM)]
    for name, number in calls.items():
        if name not in _SPECIAL:
            lines += _refuse(number)
    # The C library then asks for a thread in the old way, whose argument a filter can read.
    lines += _refuse(calls["clone3"], _ENOSYS)
    # The C library then writes, which is counted.
    lines += _refuse(calls["fallocate"], _EOPNOTSUPP)
    # Or nobody could count what it writes.
    lines += _when_first(calls["prctl"], _PR_SET_DUMPABLE)
    lines += _unless(calls["clone"], [(_ANY_BIT, _CLONE_THREAD)])
    lines += _unless(calls["tgkill"], [(_EQUAL, own_pid)])
    lines += _unless(calls["prlimit64"], [(_EQUAL, 0), (_EQUAL, own_pid)])
    lines.append(_instruction(_RETURN, _ALLOW))
    return b"".join(lines)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install():
    """Puts the filter on this process and all its threads. Raises ConversionFailed where that cannot be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(os.uname().machine, os.getpid())
    if code is None:
        raise ConversionFailed(INTERNAL_ERROR, f"no system call filter for {os.uname().machine}; nothing was loaded")
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise ConversionFailed(INTERNAL_ERROR, "the kernel refused PR_SET_NO_NEW_PRIVS; nothing was loaded")
    wanted = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(wanted), 0, 0) != 0:
        why = os.strerror(ctypes.get_errno())
        raise ConversionFailed(INTERNAL_ERROR, f"the kernel refused the system call filter ({why}); nothing was loaded")
