"""A sink that keeps the whole run in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from neuromorph.errors import TraceError

from .buffer import EventBuffer, StateBuffer
from .layout import check_extra_path, storable
from .sink import Array, RunMeta

if TYPE_CHECKING:
    from .trace import Trace

K = TypeVar("K")
V = TypeVar("V")


class MemorySink:
    """Keeps events, states and extras in memory; :meth:`trace` gives them as a :class:`Trace`.

    A second ``open`` forgets the run before.
    """

    def __init__(self) -> None:
        self._meta: RunMeta | None = None
        self._events: dict[str, EventBuffer] = {}
        self._states: dict[tuple[str, str], StateBuffer] = {}
        self._extras: dict[str, tuple[list[Any], dict[str, Any]]] = {}
        self._steps: int | None = None

    def open(self, meta: RunMeta) -> None:
        """Begin a run."""
        self._meta = meta
        self._events = {
            name: EventBuffer(name, meta.populations[name], meta.first_step) for name in meta.event_populations
        }
        self._states = {
            key: StateBuffer(*key, meta.ids_of(*key).size, recording) for key, recording in meta.states.items()
        }
        self._extras = {}
        self._steps = None

    def events(self, population: str, steps: Array, ids: Array, values: Array | None = None) -> None:
        """Append events; see :meth:`Sink.events`."""
        find(self._events, population, "events").add(steps, ids, values)

    def states(self, population: str, variable: str, first_step: int, every: int, data: Array) -> None:
        """Append state rows; see :meth:`Sink.states`."""
        find(self._states, (population, variable), "states").add(first_step, every, data)

    def extra(self, path: str, array: Any, attrs: Mapping[str, Any] | None = None, *, append: bool = False) -> None:
        """Keep an array of the run; see :meth:`Sink.extra`."""
        check_extra_path(path)
        path = path.strip("/")
        kept = storable(array)
        kept = kept.copy() if isinstance(kept, np.ndarray) else kept
        if append and path in self._extras:
            self._extras[path][0].append(kept)
            self._extras[path][1].update(attrs or {})
        else:
            self._extras[path] = ([kept], dict(attrs or {}))

    def flush(self) -> None:
        """Nothing to do: memory does not outlive the process."""

    def close(self, steps: int | None = None) -> None:
        """Finish; see :meth:`Sink.close`."""
        if self._steps is None and self._meta is not None:
            self._steps = self._meta.steps if steps is None else steps

    def trace(self) -> Trace:
        """What has been written so far, as a trace."""
        from .store import MemoryStore
        from .trace import Trace

        if self._meta is None:
            raise TraceError("this sink holds no run: open() it and write first")
        done = self._steps is not None
        meta = replace(self._meta, steps=self._steps if self._steps is not None else self._steps_seen())
        return Trace(MemoryStore.from_buffers(meta, done, self._events, self._states, self._extras))

    def _steps_seen(self) -> int:
        return steps_seen(self._meta.first_step if self._meta else 0, self._events.values(), self._states.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(None if kind is None else self._steps_seen())


def steps_seen(first_step: int, events: Iterable[EventBuffer], states: Iterable[StateBuffer]) -> int:
    """Steps of a run that have left something in its buffers, at least."""
    last = [buffer.last_step + 1 for buffer in events if buffer.any]
    last += [buffer.next_step - buffer.recording.every + 1 for buffer in states if buffer.rows]
    return max(last, default=first_step) - first_step


def find(table: Mapping[K, V], key: K, what: str) -> V:
    """Look up what the run said it would record."""
    try:
        return table[key]
    except KeyError:
        have = ", ".join(map(str, table)) or "none"
        raise TraceError(f"{what} of {key}: the run did not announce them in its RunMeta; it has {have}") from None
