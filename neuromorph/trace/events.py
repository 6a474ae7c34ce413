"""What a trace gives back: events and states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .sink import Array


@dataclass(frozen=True)
class Events:
    """Events of one population, ordered by time.

    Attributes
    ----------
    steps : int64 (n,) or None
        Step of each event; None in a foreign file whose step is not known.
    ids : int64 (n,)
        Neuron, as index within its population.
    values : (n,) or None
        Values of graded events; None: spikes, all of value 1.
    times : float64 (n,)
        Time stamps in ms: step * dt.
    """

    steps: npt.NDArray[np.int64] | None
    ids: npt.NDArray[np.int64]
    values: Array | None
    times: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return self.ids.size

    def where(self, mask: Array | slice) -> Events:
        """The events that a mask, an index array or a slice picks."""
        return Events(
            None if self.steps is None else self.steps[mask],
            self.ids[mask],
            None if self.values is None else self.values[mask],
            self.times[mask],
        )

    def __repr__(self) -> str:
        if not len(self):
            return "Events(none)"
        kind = "spikes" if self.values is None else "graded events"
        return f"Events({len(self):,} {kind} of {np.unique(self.ids).size:,} neurons, " + (
            f"{self.times[0]:g} to {self.times[-1]:g} ms)"
        )


def join(parts: list[Events]) -> Events:
    """Several consecutive pieces as one."""
    if len(parts) == 1:
        return parts[0]
    steps = [p.steps for p in parts if p.steps is not None]
    values = [p.values for p in parts if p.values is not None]
    return Events(
        np.concatenate(steps) if len(steps) == len(parts) else None,
        np.concatenate([p.ids for p in parts]),
        np.concatenate(values) if len(values) == len(parts) else None,
        np.concatenate([p.times for p in parts]),
    )


class EventTable(Protocol):
    """Events of one population, ordered by time, wherever they are kept."""

    def __len__(self) -> int: ...

    def read(self, low: int, high: int) -> Events:
        """Events number ``low`` to ``high``."""
        ...


class StateTable(Protocol):
    """Rows of one recorded state, wherever they are kept.

    Attributes
    ----------
    ids : int64 (columns,)
        Neuron of each column.
    start, step : float
        Time of the first row and between rows, ms.
    first_step, every : int or None
        The same in steps; None in foreign files.
    """

    @property
    def unit(self) -> str: ...
    @property
    def ids(self) -> npt.NDArray[np.int64]: ...
    @property
    def start(self) -> float: ...
    @property
    def step(self) -> float: ...
    @property
    def first_step(self) -> int | None: ...
    @property
    def every(self) -> int | None: ...
    @property
    def shape(self) -> tuple[int, int]: ...

    def read(self, low: int, high: int, columns: Array | slice) -> Array:
        """Rows ``low`` to ``high`` of some columns."""
        ...


@dataclass(frozen=True)
class States:
    """A recorded state, read when its values are asked for.

    ``states[rows, columns]`` reads a part of it; ``states.data`` reads all that was selected, once.

    Attributes
    ----------
    population, variable, unit : str
    ids : int64 (n,)
        Neuron of each column; of the states of a projection, the synapse's number.
    times : float64 (T,)
        Time stamps in ms; the value is that at the end of the step.
    steps : int64 (T,) or None
    """

    population: str
    variable: str
    unit: str
    ids: npt.NDArray[np.int64]
    table: StateTable
    low: int
    high: int
    columns: Array | slice

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, neurons)."""
        return self.high - self.low, self.ids.size

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """Time stamps in ms."""
        return np.asarray(self.table.start + np.arange(self.low, self.high) * self.table.step, np.float64)

    @property
    def steps(self) -> npt.NDArray[np.int64] | None:
        """Step of each row."""
        if self.table.first_step is None or self.table.every is None:
            return None
        return self.table.first_step + np.arange(self.low, self.high) * self.table.every

    @cached_property
    def data(self) -> Array:
        """All selected values, (T, n), in ``unit``."""
        return self.table.read(self.low, self.high, self.columns)

    def __getitem__(self, key: Any) -> Any:
        rows, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(rows, slice) and rows.step in (None, 1):
            low, high, _ = rows.indices(self.shape[0])
            block = self.table.read(self.low + low, self.low + max(low, high), self.columns)
            return block[(slice(None), *rest)] if rest else block
        return self.data[key]

    def blocks(self, rows: int) -> Iterator[Array]:
        """All selected values, at most ``rows`` rows at a time."""
        for low in range(self.low, self.high, rows):
            yield self.table.read(low, min(low + rows, self.high), self.columns)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self.data, dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        rows, neurons = self.shape
        return f"States({self.population}.{self.variable}, {rows:,} rows x {neurons:,} neurons, {self.unit or '1'})"
