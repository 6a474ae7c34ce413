"""Rows that arrive a few at a time, checked and kept until somebody takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError

from .sink import Array, Recording

_KEPT = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int32))
"""Types that traces keep bit for bit; anything else is brought to the nearest of them."""


def keep(data: npt.ArrayLike) -> Array:
    """Copy as float32, float64 or int32 (float16 and bool widen; other integers become float64)."""
    array = np.asarray(data)
    if array.dtype in _KEPT:
        return array.copy()
    small = array.dtype.kind == "b" or array.dtype in (np.int8, np.int16, np.uint8, np.uint16)
    return array.astype(np.int32 if small else np.float32 if array.dtype == np.float16 else np.float64)


class EventBuffer:
    """Events of one population, in time order."""

    def __init__(self, population: str, size: int, first_step: int = 0) -> None:
        self.population = population
        self.size = size
        self.last_step = first_step
        self.any = False
        self.count = 0
        self.nbytes = 0
        self.value_dtype: np.dtype[Any] | None = None
        self._chunks: list[tuple[Array, Array, Array | None]] = []

    def add(self, steps: npt.ArrayLike, ids: npt.ArrayLike, values: npt.ArrayLike | None) -> None:
        """Append; raises TraceError on unequal lengths, steps that go back, or ids outside the population."""
        new_steps = np.array(steps, dtype=np.int64, ndmin=1)
        new_ids = np.asarray(ids)
        n = new_steps.size
        new_values = None if values is None else keep(values)
        if new_ids.shape != (n,) or (new_values is not None and new_values.shape != (n,)):
            raise TraceError(
                f"events of {self.population}: steps, ids and values must have one length, got {new_steps.shape}, "
                f"{new_ids.shape}, {None if new_values is None else new_values.shape}"
            )
        if new_values is not None:
            if self.value_dtype is None:
                self.value_dtype = new_values.dtype
            new_values = new_values.astype(self.value_dtype, copy=False)
        if n == 0:
            return
        if new_steps[0] < self.last_step or (n > 1 and bool(np.any(new_steps[1:] < new_steps[:-1]))):
            raise TraceError(
                f"events of {self.population}: must come in time order, but a step before {self.last_step} "
                f"or a decreasing one was written",
                last_step=self.last_step,
            )
        if int(new_ids.max()) >= self.size or int(new_ids.min()) < 0:
            raise TraceError(
                f"events of {self.population}: neuron ids must lie in [0, {self.size}), "
                f"got {int(new_ids.min())} to {int(new_ids.max())}",
                size=self.size,
            )
        self.any = True
        self.last_step = int(new_steps[-1])
        self._chunks.append((new_steps, new_ids.astype(np.uint32), new_values))
        self.count += n
        self.nbytes += n * (12 + (0 if new_values is None else new_values.itemsize))

    def take(self) -> tuple[Array, Array, Array | None]:
        """Everything kept, as (steps int64, ids uint32, values or None), and forget it.

        Spikes without a value count as value 1 once the population has sent any graded event.
        """
        taken = self.peek()
        self._chunks = []
        self.count = self.nbytes = 0
        return taken

    def peek(self) -> tuple[Array, Array, Array | None]:
        """What :meth:`take` would give, and keep it."""
        chunks = self._chunks
        if len(chunks) == 1 and (chunks[0][2] is not None) == (self.value_dtype is not None):
            return chunks[0]
        steps = np.concatenate([c[0] for c in chunks]) if chunks else np.empty(0, np.int64)
        ids = np.concatenate([c[1] for c in chunks]) if chunks else np.empty(0, np.uint32)
        if self.value_dtype is None:
            self._chunks = [(steps, ids, None)] if chunks else []
            return steps, ids, None
        ones = [np.ones(c[0].size, self.value_dtype) if c[2] is None else c[2] for c in chunks]
        values = np.concatenate(ones) if ones else np.empty(0, self.value_dtype)
        if chunks:
            self._chunks = [(steps, ids, values)]
        return steps, ids, values


class StateBuffer:
    """Rows of one recorded state, evenly spaced in time."""

    def __init__(self, population: str, variable: str, size: int, recording: Recording) -> None:
        self.population = population
        self.variable = variable
        self.size = size
        self.recording = recording
        self.first_step: int | None = None
        self.rows = 0
        self.nbytes = 0
        self.dtype: np.dtype[Any] | None = None
        self._chunks: list[Array] = []

    @property
    def next_step(self) -> int:
        """Step of the row that comes next (0 before the first)."""
        return 0 if self.first_step is None else self.first_step + self.rows * self.recording.every

    def add(self, first_step: int, every: int, data: npt.ArrayLike) -> None:
        """Append rows of SI values; raises TraceError on a wrong width, spacing or a gap."""
        subject = f"state {self.variable} of {self.population}"
        rows = np.asarray(data)
        if rows.ndim == 1:
            rows = rows[None, :]
        if rows.ndim != 2 or rows.shape[1] != self.size:
            raise TraceError(f"{subject}: rows must be (T, {self.size}), got {rows.shape}", size=self.size)
        if every != self.recording.every:
            raise TraceError(f"{subject}: recorded every {self.recording.every} steps, got rows every {every}")
        if self.first_step is None:
            self.first_step = int(first_step)
        elif rows.shape[0] and first_step != self.next_step:
            raise TraceError(
                f"{subject}: the next row is that of step {self.next_step}, got step {first_step}",
                expected=self.next_step,
                got=int(first_step),
            )
        scale = self.recording.scale
        kept = keep(rows)
        if scale != 1.0:
            kind = np.float32 if kept.dtype == np.float32 else np.float64
            kept = (kept.astype(np.float64) / scale).astype(kind)
        if self.dtype is None:
            self.dtype = kept.dtype
        self._chunks.append(kept.astype(self.dtype, copy=False))
        self.rows += kept.shape[0]
        self.nbytes += kept.nbytes

    def take(self) -> Array:
        """All rows kept, (rows, size), and forget them."""
        taken = self.peek()
        self._chunks = []
        self.nbytes = 0
        return taken

    def peek(self) -> Array:
        """What :meth:`take` would give, and keep it."""
        if not self._chunks:
            return np.empty((0, self.size), self.dtype or np.float32)
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0]
