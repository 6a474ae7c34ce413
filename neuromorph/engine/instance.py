"""A compiled network with its own memory, ready to run chunks of steps on one or several threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .items import DRIVE
from .memory import Memory, allocate
from .recording import Recorder
from .schedule import Compiled, Tables, base_tables, call, fixed_kernel

OFFSET, NEXT, BARRIER = DRIVE.index("offset"), DRIVE.index("next"), DRIVE.index("barrier")


class Instance:
    """Memory of a network and the tables that run it.

    Parameters
    ----------
    compiled : Compiled
    threads : int
        How many threads share the work of a step.
    """

    def __init__(self, compiled: Compiled, threads: int) -> None:
        self.compiled = compiled
        self.threads = threads
        self.memories: tuple[Memory, ...] = tuple(
            allocate(population, layout, compiled.dtype, compiled.reach(k), threads, compiled.graded(k))
            for k, (population, layout) in enumerate(zip(compiled.populations, compiled.layouts, strict=True))
        )
        self._stop = np.full(1, np.iinfo(np.int64).max, np.int64)
        self._barrier = np.zeros(16, np.int64)  # arrivals and generation, on cache lines of their own
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    @cached_property
    def recorder(self) -> Recorder:
        """Buffers and work items of all that the network records."""
        return Recorder(self.compiled, self.memories, self._stop)

    @cached_property
    def plain(self) -> tuple[list[Tables], list[npt.NDArray[np.int64]]]:
        """Tables and drivers' items of a run that records nothing."""
        return self._seal(base_tables(self.compiled, self.memories, self.threads))

    @cached_property
    def recording(self) -> tuple[list[Tables], list[npt.NDArray[np.int64]]]:
        """Tables and drivers' items of a run that records."""
        tables = base_tables(self.compiled, self.memories, self.threads)
        self.recorder.join(tables)
        return self._seal(tables)

    def _seal(self, tables: list[Tables]) -> tuple[list[Tables], list[npt.NDArray[np.int64]]]:
        return tables, [table.seal(k, self.threads, self._barrier, self._stop) for k, table in enumerate(tables)]

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        for memory in self.memories:
            memory.reset()

    def run(self, first: int, last: int, offset: int, items: Sequence[npt.NDArray[np.int64]]) -> int:
        """Run steps from ``first`` to ``last`` or until a recorder's buffer is full; gives the next step."""
        for item in items:
            item[OFFSET] = offset
        drive = fixed_kernel("drive")
        others = [self._pool.submit(call, drive, first, last, item) for item in items[1:]] if self._pool else []
        try:
            call(drive, first, last, items[0])
        finally:
            wait(others)  # also when Ctrl-C arrived meanwhile: no thread may run on in memory that we flush
        for other in others:
            other.result()
        return int(items[0][NEXT])

    @property
    def nbytes(self) -> int:
        """Bytes of states, parameters, rings and event lists."""
        return sum(memory.nbytes for memory in self.memories)
