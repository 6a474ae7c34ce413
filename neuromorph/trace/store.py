"""Where a trace's contents are kept: here the protocol and the one in memory; files are in ``reader``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .buffer import EventBuffer, StateBuffer
from .events import Events, EventTable, StateTable
from .sink import Array, RunMeta


class Extras(Mapping[str, Any]):
    """What a run kept beside events and states, by path: ``trace.run["costs/energy"]``.

    Values of a file are read when asked for.
    """

    def __init__(self, loaders: Mapping[str, Any]) -> None:
        self._loaders = dict(sorted(loaders.items()))

    def __getitem__(self, path: str) -> Any:
        """The array, string or number at ``path``; for a folder of them, a dict."""
        if path in self._loaders:
            return self._loaders[path].value()
        inside = {p[len(path) + 1 :]: entry for p, entry in self._loaders.items() if p.startswith(f"{path}/")}
        if not inside:
            raise KeyError(f"{path!r}; the run keeps {', '.join(self._loaders) or 'nothing'}")
        return {p: entry.value() for p, entry in inside.items()}

    def attrs(self, path: str) -> dict[str, Any]:
        """Attributes (units, meanings) of the array at ``path``."""
        attributes: dict[str, Any] = self._loaders[path].attrs()
        return attributes

    def shape(self, path: str) -> tuple[int, ...]:
        """Shape of the array at ``path``, without reading it."""
        shape: tuple[int, ...] = self._loaders[path].shape()
        return shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    def __repr__(self) -> str:
        return f"Extras({', '.join(f'{p} {self.shape(p)}' for p in self._loaders) or 'none'})"


class Store(Protocol):
    """Contents of a trace.

    Attributes
    ----------
    meta : RunMeta or None
        None in foreign files.
    complete : bool
        False while the run goes on or after it was cut off.
    path : str or None
    """

    meta: RunMeta | None
    complete: bool
    path: str | None
    extras: Extras

    def sizes(self) -> dict[str, int]:
        """Neurons of each population."""
        ...

    def event_populations(self) -> tuple[str, ...]:
        """Populations whose events are kept."""
        ...

    def recorded_states(self) -> tuple[tuple[str, str], ...]:
        """(population, variable) of each kept state."""
        ...

    def events(self, population: str) -> EventTable:
        """Events of one of :meth:`event_populations`."""
        ...

    def states(self, population: str, variable: str) -> StateTable:
        """Rows of one of :meth:`recorded_states`."""
        ...

    def close(self) -> None:
        """Let go of the file, if there is one."""
        ...


@dataclass(frozen=True)
class _Value:
    """An extra in memory; pieces that were appended are joined when read."""

    parts: tuple[Any, ...]
    attributes: Mapping[str, Any]

    def value(self) -> Any:
        if len(self.parts) > 1:
            return np.concatenate(self.parts)
        (value,) = self.parts
        return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value

    def attrs(self) -> dict[str, Any]:
        return dict(self.attributes)

    def shape(self) -> tuple[int, ...]:
        return tuple(np.shape(self.value()))


@dataclass(frozen=True)
class MemoryEvents:
    """Events held as arrays."""

    steps: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: Array | None
    dt_ms: float

    def __len__(self) -> int:
        return self.steps.size

    def read(self, low: int, high: int) -> Events:
        """Events number ``low`` to ``high``."""
        steps = self.steps[low:high]
        values = None if self.values is None else self.values[low:high]
        return Events(steps, self.ids[low:high].astype(np.int64), values, np.asarray(steps * self.dt_ms, np.float64))


@dataclass(frozen=True)
class MemoryStates:
    """Rows of a state held as an array."""

    rows: Array
    unit: str
    ids: npt.NDArray[np.int64]
    start: float
    step: float
    first_step: int | None
    every: int | None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, neurons)."""
        return self.rows.shape[0], self.rows.shape[1]

    def read(self, low: int, high: int, columns: Array | slice) -> Array:
        """Rows ``low`` to ``high`` of some columns, as a copy."""
        return self.rows[low:high, columns].copy()


class MemoryStore:
    """A trace's contents in memory, as they were when it was made."""

    def __init__(
        self,
        meta: RunMeta,
        complete: bool,
        events: Mapping[str, MemoryEvents],
        states: Mapping[tuple[str, str], MemoryStates],
        extras: Extras,
    ) -> None:
        self.meta: RunMeta | None = meta
        self.complete = complete
        self.path: str | None = None
        self.extras = extras
        self._sizes = dict(meta.populations)
        self._events = dict(events)
        self._states = dict(states)

    @classmethod
    def from_buffers(
        cls,
        meta: RunMeta,
        complete: bool,
        events: Mapping[str, EventBuffer],
        states: Mapping[tuple[str, str], StateBuffer],
        extras: Mapping[str, tuple[list[Any], Mapping[str, Any]]],
    ) -> MemoryStore:
        """The contents of a sink's buffers, which keep them."""
        return cls(
            meta,
            complete,
            {name: MemoryEvents(*buffer.peek(), meta.dt_ms) for name, buffer in events.items()},
            {key: _state_table(buffer, meta) for key, buffer in states.items()},
            Extras({path: _Value(tuple(parts), dict(attrs)) for path, (parts, attrs) in extras.items()}),
        )

    def sizes(self) -> dict[str, int]:
        """Neurons of each population."""
        return dict(self._sizes)

    def event_populations(self) -> tuple[str, ...]:
        """Populations whose events are kept."""
        return tuple(self._events)

    def recorded_states(self) -> tuple[tuple[str, str], ...]:
        """(population, variable) of each kept state."""
        return tuple(self._states)

    def events(self, population: str) -> EventTable:
        """Events of one population."""
        return self._events[population]

    def states(self, population: str, variable: str) -> StateTable:
        """Rows of one state."""
        return self._states[population, variable]

    def close(self) -> None:
        """Nothing to let go of."""


def _state_table(buffer: StateBuffer, meta: RunMeta) -> MemoryStates:
    first = buffer.first_step if buffer.first_step is not None else meta.first_step
    every = buffer.recording.every
    ids = meta.ids_of(buffer.population, buffer.variable)
    return MemoryStates(buffer.peek(), buffer.recording.unit, ids, first * meta.dt_ms, every * meta.dt_ms, first, every)
