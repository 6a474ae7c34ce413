"""The memory of a running network: one set of buffers for each population, allocated once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredPopulation

from .layout import Layout, initial_buffers, stride_of

Array = npt.NDArray[Any]

PAGE = 4096
"""Bytes: stores and loads are told apart by the place within as many."""


@dataclass(frozen=True)
class Memory:
    """Buffers of one population.

    Threads that share the work have a segment each, a range of neurons (:meth:`bounds`) and of the lists of events.

    Attributes
    ----------
    size : int
        Neurons.
    floats, ints : (layout.floats,), (layout.ints,)
        Parameters, states, event values and recorded intermediates; see :class:`Layout`.
    initial_floats, initial_ints
        The same at step 0.
    float_ring : (slots, float ports, stride)
    int_ring : int64 (slots, int ports, stride)
        Sums that will arrive; slot = step modulo slots.
    mask : uint8 (stride,)
    fired : uint32 (rows, stride)
    values : (rows, stride) or None
    counts : int64 (segments, rows)
        Events of the latest steps and how many each segment lists; row = step & ``event_mask``.
    """

    size: int
    stride: int
    floats: Array
    ints: Array
    initial_floats: Array
    initial_ints: Array
    float_ring: Array
    int_ring: Array
    mask: Array
    fired: Array
    values: Array | None
    counts: Array
    _bounds: dict[int, Array] = field(default_factory=dict, repr=False)

    def bounds(self, threads: int) -> npt.NDArray[np.int64]:
        """Neurons of segment k of so many are ``[bounds[k], bounds[k + 1])``; also where its part of ``fired`` begins.

        Always the same array, (threads + 1,), so that kernels may read it by address.
        """
        if threads not in self._bounds:
            self._bounds[threads] = thread_bounds(self.size, threads)
        return self._bounds[threads]

    def join_segments(self, threads: int) -> None:
        """Make one segment of the events that so many threads listed: others may go on."""
        starts = self.bounds(threads)
        for row, counts in enumerate(self.counts.T):
            for start, count in zip(starts[1:threads], counts[1:threads], strict=True):
                for lists in (self.fired, self.values):
                    if count and lists is not None:
                        lists[row, counts[0] : counts[0] + count] = lists[row, start : start + count]
                counts[0] += count
            counts[1:] = 0

    @property
    def slots(self) -> int:
        """Steps that the rings reach ahead."""
        return len(self.float_ring)

    @property
    def event_mask(self) -> int:
        """What a step is masked with to give its row of the event lists: their rows, a power of two, less 1."""
        return len(self.fired) - 1

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))

    @property
    def ring_bytes(self) -> int:
        """Bytes of the sums that will arrive."""
        return self.float_ring.nbytes + self.int_ring.nbytes

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        self.floats[:] = self.initial_floats
        self.ints[:] = self.initial_ints
        self.float_ring[:] = 0
        self.int_ring[:] = 0
        self.counts[:] = 0


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike, offset: int = 0) -> Array:
    """A zeroed array that begins ``offset`` bytes, whole cache lines, behind the beginning of a page.

    A load waits for an earlier store if their addresses agree in the place within a page, so arrays that one loop
    reads and writes begin at different places: updates of small populations took up to 1.7 times as long by chance.
    """
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    raw = np.zeros(size + PAGE, np.uint8)
    start = (offset - raw.ctypes.data) % PAGE
    return raw[start : start + size].view(kind).reshape(shape)


def thread_bounds(size: int, segments: int) -> npt.NDArray[np.int64]:
    """Cut ``size`` neurons into ranges of nearly equal length, on multiples of 64 where there are enough."""
    unit = 64 if size >= 128 * segments else 1
    units = -(-size // unit)
    cuts = np.arange(segments + 1, dtype=np.int64) * units // segments * unit
    return np.minimum(cuts, size)


def allocate(
    population: LoweredPopulation,
    layout: Layout | None,
    dtype: str,
    max_delay: int,
    segments: int,
    graded: bool,
    events: int = 2,
) -> Memory:
    """Memory of a population at step 0; sources (no program) have no layout.

    Parameters
    ----------
    max_delay : int
        Longest delay of the projections onto this population, in steps.
    events : int
        Rows of the event lists: a power of two.
    """
    if layout is None:
        stride, floats, ints = stride_of(population.size), np.zeros(0, dtype), np.zeros(0, np.int32)
        ports = (0, 0)
    else:
        stride = layout.stride
        floats, ints = initial_buffers(population, layout)
        ports = (len(layout.float_ports), len(layout.int_ports))
    slots = 1 << (max_delay - 1).bit_length()
    memory = Memory(
        size=population.size,
        stride=stride,
        floats=aligned(floats.shape, dtype),
        ints=aligned(ints.shape, np.int32, PAGE // 4),
        initial_floats=floats,
        initial_ints=ints,
        float_ring=aligned((slots, ports[0], stride), dtype, PAGE // 2),
        int_ring=aligned((slots, ports[1], stride), np.int64, PAGE // 2 + PAGE // 8),
        mask=aligned((stride,), np.uint8, PAGE * 3 // 4),
        fired=aligned((events, stride), np.uint32),
        values=aligned((events, stride), dtype) if graded else None,
        counts=aligned((segments, events), np.int64),
    )
    memory.reset()
    return memory


def address(array: Array | None) -> int:
    """Where an array's first element lies; 0 for None."""
    return 0 if array is None else int(array.ctypes.data)
