"""Which files the process with the model can reach, where the kernel can limit that."""

import ctypes
import os
import struct

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL_OF_FIRST = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# What makes no sense for a plain file, and is refused for one.
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


def _rights(version):
    rights = _ALL_OF_FIRST
    rights |= _REFER if version >= 2 else 0
    rights |= _TRUNCATE if version >= 3 else 0
    return rights | (_IOCTL if version >= 5 else 0)


def _rule(libc, ruleset, path, rights):
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _FOR_FILES
        attributes = ctypes.create_string_buffer(struct.pack("=Qi", allowed, fd), 12)
        libc.syscall(_ADD, ruleset, _PATH_BENEATH, attributes, 0)
    finally:
        os.close(fd)


def restrict(readable, writable):
    """From now on only these paths can be opened. True when the kernel took it; False where it has no such limit."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    rights = _rights(version)
    attributes = ctypes.create_string_buffer(struct.pack("=Q", rights), 8)
    ruleset = libc.syscall(_CREATE, attributes, 8, 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _rule(libc, ruleset, path, _READ & rights)
        for path in writable:
            _rule(libc, ruleset, path, rights)
        return libc.syscall(_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)
