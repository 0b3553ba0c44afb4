"""How a night takes memory: from one heap that keeps what it was given until the night is over.

A night frees and takes the same hundreds of megabytes over and over; without this, half of its time in the kernel goes into
being given fresh pages. Where the C library is not glibc nothing is changed.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa

# <malloc.h>, https://man7.org/linux/man-pages/man3/mallopt.3.html: trim threshold, top pad, mmaps at most, arenas at most
_OPTIONS = {-1: 2**31 - 1, -2: 2**26, -4: 0, -8: 1}


def keep_heap() -> None:
    """From now on Arrow and numpy take memory from one heap, and nothing of it goes back before `give_back`."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    for option, value in _OPTIONS.items():
        libc.mallopt(option, value)
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Return what is free to the system, as a process should that waits for the next night."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
