"""A program watched at every call that leaves a trace: each can be its last, be cut short, or fail.

`strace -e inject` counts the calls of every thread by itself; an apply has a thread for each system, so that "the 700th call" names
no moment of it. Here the kernel stops whichever thread is about to make one of the calls (seccomp, ptrace; Linux on x86-64), and
all of them share one count.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

CALLS = {
    0: "read", 1: "write", 18: "pwrite64", 20: "writev", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 74: "fsync", 75: "fdatasync",
    77: "ftruncate", 82: "rename", 83: "mkdir", 87: "unlink", 257: "openat", 263: "unlinkat", 264: "renameat", 316: "renameat2",
}  # fmt: skip
_RECEIVING = ("read", "recvfrom")
_BY_NAME = ("rename", "mkdir", "unlink", "openat", "unlinkat", "renameat", "renameat2")
_WHERE = {"openat": 1, "unlinkat": 1, "renameat": 3, "renameat2": 3, "rename": 1}  # which argument is the name
_CREATES = 0o100  # O_CREAT
_TRACEME, _CONT, _GETREGS, _SETREGS, _SYSCALL, _SETOPTIONS, _GETEVENTMSG = 0, 7, 12, 13, 24, 0x4200, 0x4201
_OPTIONS = (
    0x1 | 0x2 | 0x4 | 0x8 | 0x80 | 0x100000
)  # tell calls from signals, follow forks and threads, stop at the filter, die with us
_STOPPED_AT_FILTER, _ALL = 7, 0x40000000  # PTRACE_EVENT_SECCOMP, __WALL
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi, rsi, rdx, r10, r8, r9 in user_regs_struct
_RAX, _ORIG_RAX, _RDX, _REGISTERS = 10, 15, 12, 27


@dataclass(frozen=True)
class Order:
    """What happens `at` which call (from 1; 0: nowhere): "kill" before it is made, "torn" when half of it is written, or an error's name.

    A kill counts every call, "torn" the writes to files, and an error every call on a file.
    """

    do: str = "kill"
    at: int = 0

    @property
    def calls(self) -> Iterable[int]:
        """The calls to stop at: those that may count."""
        torn, disk = ("write", "pwrite64"), set(CALLS.values()) - {*_RECEIVING, "sendto", "sendmsg"}
        wanted = {"kill": set(CALLS.values()), "torn": torn}.get(self.do, disk)
        return (number for number, name in CALLS.items() if name in wanted)

    def counts(self, call: str) -> bool:
        name, _, where = call.partition(" ")
        if self.do == "kill":
            return True
        if self.do == "torn":
            return name in ("write", "pwrite64") and where not in ("socket", "pipe", "output")
        return where not in ("socket", "pipe", "output")


@dataclass
class Ended:
    """How the program ended (as a shell tells it: 128 and the signal), and every call that was counted."""

    code: int = 0
    calls: list[str] = field(default_factory=list)
    receiving: set[int] = field(default_factory=set)  # threads whose last call was a receipt


class _Registers(ctypes.Structure):
    _fields_ = [("at", ctypes.c_ulonglong * _REGISTERS)]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def unwatched(main: Callable[[], int]) -> Ended:
    """Run `main` in a process forked from this one, to its end."""
    child = os.fork()
    if child == 0:
        os._exit(main())
    return Ended(_code(os.waitpid(child, 0)[1]))


def watched(main: Callable[[], int], order: Order) -> Ended:
    """Run `main` in a process forked from this one, under that order. This process may have no other children, and only one thread."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit("programs are watched on Linux on x86-64 only")
    child = os.fork()
    if child == 0:
        _be_watched(order.calls)
        os._exit(main())
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, _OPTIONS)
    _ptrace(_CONT, child, 0)
    ended = Ended()
    while True:
        thread, status = os.waitpid(-1, _ALL)
        if os.WIFSTOPPED(status):
            _stopped(thread, status, child, order, ended)
        elif thread == child:
            ended.code = _code(status)
            return ended


def _code(status: int) -> int:
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _be_watched(calls: Iterable[int]) -> None:
    """In the child: stop once for the watcher, then let the kernel stop every thread at these calls; at openat only to create."""
    _ptrace(_TRACEME, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    load, equal, any_bit, end = 0x20, 0x15, 0x45, 0x06  # of a filter's instructions; then how many to leap over, if so and if not
    allow, stop = (end, 0, 0, 0x7FFF0000), (end, 0, 0, 0x7FF00000)
    filtering = [(load, 0, 0, 0)]  # the call's number
    for number in calls:
        if CALLS[number] == "openat":
            filtering += [
                (equal, 0, 4, number),
                (load, 0, 0, 32),
                (any_bit, 0, 1, _CREATES),
                stop,
                allow,
            ]  # 32: its third argument
        else:
            filtering += [(equal, 0, 1, number), stop]
    lines = [struct.pack("HBBI", *line) for line in (*filtering, allow)]
    program = ctypes.create_string_buffer(b"".join(lines))
    filtered = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(program)))
    _libc.prctl(38, 1, 0, 0, 0)  # no new privileges
    if _libc.prctl(22, 2, filtered, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of calls")


def _ptrace(request: int, thread: int, data: int | ctypes._Pointer[_Registers] | None) -> bool:
    """False when the thread is gone: a killed process may still be announced."""
    if _libc.ptrace(request, thread, None, ctypes.cast(data, ctypes.c_void_p) if not isinstance(data, int) else data) != -1:
        return True
    if ctypes.get_errno() == errno.ESRCH:
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _stopped(thread: int, status: int, child: int, order: Order, ended: Ended) -> None:
    """One stop: at a call of ours, at the end of one that is torn, or for a signal, which is passed on."""
    event, sent = status >> 16, os.WSTOPSIG(status)
    if event == _STOPPED_AT_FILTER:
        _at_call(thread, child, order, ended)
    elif event == 0 and sent == signal.SIGTRAP | 0x80:  # the torn call has written its half
        os.kill(child, signal.SIGKILL)
    else:
        _ptrace(_CONT, thread, 0 if event or sent == signal.SIGSTOP else sent)


def _at_call(thread: int, child: int, order: Order, ended: Ended) -> None:
    registers = _Registers()
    if not _ptrace(_GETREGS, thread, ctypes.pointer(registers)):
        return
    call = _told(thread, registers.at)
    if call is None or not order.counts(call) or _still_receiving(thread, call, ended):
        _ptrace(_CONT, thread, 0)
        return
    ended.calls.append(call)
    if len(ended.calls) != order.at:
        _ptrace(_CONT, thread, 0)
    elif order.do == "kill":
        os.kill(child, signal.SIGKILL)
    elif order.do == "torn":
        registers.at[_RDX] = max(1, registers.at[_RDX] // 2)
        _ptrace(_SETREGS, thread, ctypes.pointer(registers))
        _ptrace(_SYSCALL, thread, 0)
    else:
        registers.at[_ORIG_RAX], registers.at[_RAX] = 2**64 - 1, 2**64 - getattr(errno, order.do)
        _ptrace(_SETREGS, thread, ctypes.pointer(registers))
        _ptrace(_CONT, thread, 0)


def _still_receiving(thread: int, call: str, ended: Ended) -> bool:
    """A receipt after a receipt of the same thread: since that one it has left no trace, and would be killed in the same state."""
    before = thread in ended.receiving
    if call.partition(" ")[0] not in _RECEIVING:
        ended.receiving.discard(thread)
        return False
    ended.receiving.add(thread)
    return before


def _told(thread: int, registers: ctypes.Array[ctypes.c_ulonglong]) -> str | None:
    """A call and what it is about; None for those that leave no trace: files that are only read."""
    name, given = CALLS[registers[_ORIG_RAX]], [registers[place] for place in _ARGUMENTS]
    if name in _BY_NAME:
        return f"{name} {_file(_text(thread, given[_WHERE.get(name, 0)]))}"
    where = _held(thread, given[0])
    return None if name in _RECEIVING and where != "socket" else f"{name} {where}"


def _held(thread: int, handle: int) -> str:
    """What a file descriptor leads to."""
    if handle in (1, 2):
        return "output"
    try:
        path = str(Path(f"/proc/{thread}/fd/{handle}").readlink())
    except OSError:
        return "nothing"
    return path.partition(":")[0] if path.startswith(("socket:", "pipe:")) else _file(path)


def _file(path: str) -> str:
    """A file's name; those of made-up names are told by their ending."""
    return Path(path).name.rpartition(".tmp")[0] and "a new file" if ".tmp" in path else Path(path).name


def _text(thread: int, address: int) -> str:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - no file, a process
        memory.seek(address)
        return memory.read(256).partition(b"\0")[0].decode("utf-8", "replace")
