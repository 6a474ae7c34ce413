"""Row blocks on a few threads.

Compiled kernels release the interpreter lock, so plain threads suffice; Numba's own threading layers cannot be used
from several threads or across a fork.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def available_threads() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def blocks(n: int, count: int) -> list[tuple[int, int]]:
    """Cut ``range(n)`` into at most ``count`` ranges of nearly equal length."""
    count = max(1, min(count, n))
    edges = [n * k // count for k in range(count + 1)]
    return list(pairwise(edges))


def for_each(work: Callable[[int, int], None], ranges: Sequence[tuple[int, int]], threads: int) -> None:
    """Call ``work(start, stop)`` for every range, on up to ``threads`` threads."""
    if threads <= 1 or len(ranges) <= 1:
        for start, stop in ranges:
            work(start, stop)
        return
    with ThreadPoolExecutor(min(threads, len(ranges))) as pool:
        for done in [pool.submit(work, start, stop) for start, stop in ranges]:
            done.result()
