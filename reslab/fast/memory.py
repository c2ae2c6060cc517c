"""The C library's heap, told to keep what a step frees: the next step needs exactly that again."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEEP = (1 << 30, 32 << 20)  # largest thresholds that newer and older versions of the library accept
SETTLED = 32 << 20  # where glibc's own threshold ends up in a process that frees large tensors; trimming at twice that

_inside = 0  # how many callers want the heap kept


@contextmanager
def kept_heap() -> Iterator[None]:
    """While inside, freed memory stays with the process; at the end all of it is given back.

    By default glibc takes large activations fresh from the kernel and gives them back at once, so that every one of
    their pages is mapped and zeroed again in every step. May be nested. Elsewhere than on glibc this does nothing.
    """
    global _inside
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "mallopt"):
        yield
        return
    any(libc.mallopt(MMAP_THRESHOLD, size) for size in KEEP)
    libc.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
    _inside += 1
    try:
        yield
    finally:
        _inside -= 1
        if not _inside:
            libc.mallopt(MMAP_THRESHOLD, SETTLED)
            libc.mallopt(TRIM_THRESHOLD, 2 * SETTLED)
            libc.malloc_trim(0)
