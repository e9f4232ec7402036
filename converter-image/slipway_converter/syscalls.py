"""Numbers of the system calls that the process with the model may not make, by machine."""

# fmt: off
_X86_64 = {
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50,
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101, "setpgid": 109, "setsid": 112,
    "chroot": 161, "pivot_root": 155, "mount": 165, "umount2": 166, "init_module": 175, "kexec_load": 246,
    "add_key": 248, "request_key": 249, "keyctl": 250, "tkill": 200, "tgkill": 234, "unshare": 272, "accept4": 288,
    "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "prlimit64": 302, "sendmmsg": 307,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "bpf": 321, "execveat": 322, "userfaultfd": 323, "shmget": 29, "msgget": 68, "semget": 64,
    "mq_open": 240, "setpriority": 141, "sched_setscheduler": 144, "sched_setparam": 142,
    "prctl": 157, "fallocate": 285,
}
_AARCH64 = {
    "socket": 198, "connect": 203, "accept": 202, "sendto": 206, "sendmsg": 211, "bind": 200, "listen": 201,
    "clone": 220, "execve": 221, "kill": 129, "ptrace": 117, "setpgid": 154, "setsid": 157,
    "chroot": 51, "pivot_root": 41, "mount": 40, "umount2": 39, "init_module": 105, "kexec_load": 104,
    "add_key": 217, "request_key": 218, "keyctl": 219, "tkill": 130, "tgkill": 131, "unshare": 97, "accept4": 242,
    "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "prlimit64": 261, "sendmmsg": 269,
    "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "finit_module": 273, "bpf": 280, "execveat": 281, "userfaultfd": 282, "shmget": 194, "msgget": 186, "semget": 190,
    "mq_open": 180, "setpriority": 140, "sched_setscheduler": 119, "sched_setparam": 118,
    "prctl": 167, "fallocate": 47,
}
# The newer calls have the same numbers everywhere.
_COMMON = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "pidfd_open": 434, "clone3": 435,
    "pidfd_getfd": 438, "mount_setattr": 442,
}
# fmt: on

_AUDIT = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


def machine_calls(machine):
    """The machine's audit number and its calls by name; None where we know no numbers."""
    known = _AUDIT.get(machine)
    return None if known is None else (known[0], {**known[1], **_COMMON})
