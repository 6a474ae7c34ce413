"""The trace: what a run recorded, whether it is in memory or in a file."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Iterator, Mapping
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError

from .events import Events, EventTable, States, join
from .memory import MemorySink
from .sink import RunMeta
from .store import Extras, Store

if TYPE_CHECKING:
    import neo
    import pandas

_BLOCK = 1 << 20
_ROWS_SHOWN = 20


class Trace:
    """Recorded events and states of a run.

    Opens a file that :class:`FileSink` wrote, or any SONATA spike or report file, legacy layouts too; engines also make
    traces that live in memory. Files are read as far as asked for. Use it as a context manager to close the file.

    Parameters
    ----------
    source : path or Store
    dt : float, optional
        Step in seconds of a foreign file, so that its events get step numbers. Our own files state theirs.

    Raises
    ------
    TraceError
        No such file, not HDF5, or neither a trace nor a SONATA file.

    Notes
    -----
    Step ``t`` has the time stamp ``t * dt``, for events and states; a state is the value at the end of its step.
    Times that are asked for (``start``, ``stop``) are in ms, or quantities; ``start`` is included, ``stop`` is not.
    """

    def __init__(self, source: str | PathLike[str] | Store, *, dt: float | None = None) -> None:
        if not isinstance(source, str | PathLike) and not hasattr(source, "event_populations"):
            raise TraceError(f"{source!r:.80} is not the path of a trace; give the name of a file")
        if isinstance(source, str | PathLike):
            from .reader import FileStore

            source = FileStore(os.fspath(source), None if dt is None else dt * 1e3)
        self._store: Store = source
        self._dt = dt
        self._closed = False

    @classmethod
    def from_events(
        cls,
        events: Mapping[str, tuple[Any, ...]],
        *,
        sizes: Mapping[str, int],
        dt: float,
        steps: int | None = None,
        name: str = "events",
    ) -> Trace:
        """A trace of events that are at hand as arrays.

        Parameters
        ----------
        events : mapping of population to (steps, ids) or (steps, ids, values)
            In any order.
        sizes : mapping of population to int
        dt : float
            Step in seconds.
        steps : int, optional
            Length of the run; default: to the last event.
        """
        last = max((int(np.max(columns[0], initial=-1)) for columns in events.values()), default=-1)
        sink = MemorySink()
        sink.open(RunMeta(name, dt, last + 1 if steps is None else steps, 0, sizes))
        for population, columns in events.items():
            order = np.argsort(np.asarray(columns[0]), kind="stable")
            sink.events(population, *(np.asarray(column)[order] for column in columns))
        sink.close()
        return sink.trace()

    # What the run was.

    @property
    def meta(self) -> RunMeta:
        """Network, dt, steps, seed, populations, recorded states and provenance of the run.

        ``meta.steps`` is what was really run; while :attr:`complete` is False, what has been seen of it.
        """
        if self._store.meta is None:
            raise TraceError(f"{self.path}: was not written by neuromorph and says nothing about the run")
        return self._store.meta

    @property
    def stated(self) -> bool:
        """Whether the trace says what run it is of: ours do, foreign SONATA files do not."""
        return self._store.meta is not None

    @property
    def run(self) -> Extras:
        """What the run kept beside events and states (costs, packets, placement), by path."""
        return self._opened().extras

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, model text and hash, machine and placement; empty for foreign files."""
        return dict(self._store.meta.provenance) if self._store.meta is not None else {}

    @property
    def complete(self) -> bool:
        """False if the run goes on still or was cut off."""
        return self._store.complete

    @property
    def path(self) -> str | None:
        """The file, or None in memory."""
        return self._store.path

    @property
    def dt(self) -> float | None:
        """Step in seconds; None if a foreign file does not say."""
        return self._store.meta.dt if self._store.meta is not None else self._dt

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(self._opened().sizes())

    @property
    def sizes(self) -> dict[str, int]:
        """Neurons of each population. A foreign file that does not state it: largest id + 1."""
        return self._opened().sizes()

    @property
    def recorded_events(self) -> tuple[str, ...]:
        """Populations whose events are recorded."""
        return self._opened().event_populations()

    @property
    def recorded_states(self) -> tuple[tuple[str, str], ...]:
        """(population or projection, variable) of each recorded state."""
        return self._opened().recorded_states()

    @property
    def start(self) -> float:
        """Time of the run's first step, ms."""
        return 0.0 if self._store.meta is None else self._store.meta.first_step * self._store.meta.dt_ms

    @property
    def stop(self) -> float:
        """Time at which the run ended, ms. A foreign file: just after its last event."""
        meta = self._opened().meta
        if meta is not None:
            return (meta.first_step + meta.steps) * meta.dt_ms
        ends = [0.0]
        for population in self.recorded_events:
            table = self._table(population)
            if len(table):
                last = float(table.read(len(table) - 1, len(table)).times[0])
                ends.append(float(np.nextafter(last, np.inf)) if self.dt is None else last + self.dt * 1e3)
        return max(ends)

    # What it recorded.

    def count(self, population: Any) -> int:
        """Number of recorded events of a population."""
        return len(self._table(population))

    def events(self, population: Any, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None) -> Events:
        """Events of a population, ordered by time.

        Parameters
        ----------
        population : str or Population
        ids : array of int, optional
            Only of these neurons.
        start, stop : float (ms) or Quantity, optional
            Only with ``start <= time < stop``.

        Raises
        ------
        TraceError
            The population does not exist or its events were not recorded.
        """
        return join(list(self.stream(population, ids, start, stop)) or [self._table(population).read(0, 0)])

    def stream(
        self,
        population: Any,
        ids: npt.ArrayLike | None = None,
        start: Any = None,
        stop: Any = None,
        *,
        block: int = _BLOCK,
    ) -> Iterator[Events]:
        """The same as :meth:`events`, at most ``block`` events at a time."""
        table = self._table(population)
        low, high = self._locate(table, start, 0), self._locate(table, stop, len(table))
        wanted = None if ids is None else np.atleast_1d(np.asarray(ids)).astype(np.int64)
        for a in range(low, high, block):
            part = table.read(a, min(a + block, high))
            yield part if wanted is None else part.where(np.isin(part.ids, wanted))

    def state(
        self,
        population: Any,
        variable: str,
        ids: npt.ArrayLike | None = None,
        start: Any = None,
        stop: Any = None,
    ) -> States:
        """A recorded state, read from the file when its values are asked for.

        Parameters
        ----------
        population : str, Population or Projection
            A projection for the states of its synapses.
        variable : str
        ids : array of int, optional
            Only these neurons, or synapses by their numbers, in this order.
        start, stop : float (ms) or Quantity, optional
            Only rows with ``start <= time < stop``.

        Raises
        ------
        TraceError
            This state was not recorded, or not of all of these.
        """
        name = _name(population)
        if (name, variable) not in self.recorded_states:
            have = ", ".join(f"{p}.{v}" for p, v in self.recorded_states) or "none"
            raise TraceError(f"{name}.{variable} was not recorded; recorded states: {have}")
        table = self._opened().states(name, variable)
        rows = table.shape[0]
        low, high = (self._row(table, time, rows, default) for time, default in ((start, 0), (stop, rows)))
        if ids is None:
            return States(name, variable, table.unit, table.ids, table, low, max(low, high), slice(None))
        wanted = np.atleast_1d(np.asarray(ids)).astype(np.int64)
        missing = np.setdiff1d(wanted, table.ids)
        if missing.size:
            what = "neuron" if name in self.sizes else "synapse"
            raise TraceError(f"{name}.{variable}: no {what} {missing[0]} among the {table.ids.size} recorded")
        order = np.argsort(table.ids, kind="stable")
        columns = order[np.searchsorted(table.ids, wanted, sorter=order)]
        return States(name, variable, table.unit, wanted, table, low, max(low, high), columns)

    def summary(self) -> list[tuple[str, ...]]:
        """A heading and one row for each population: neurons, events, mean rate (Hz), recorded states.

        Projections with recorded synapses come last.
        """
        table: list[tuple[str, ...]] = [("population", "neurons", "events", "rate (Hz)", "states")]
        seconds = (self.stop - self.start) / 1e3
        for name, size in self.sizes.items():
            recorded = name in self.recorded_events
            count = self.count(name) if recorded else 0
            rate = f"{count / size / seconds:.4g}" if recorded and size and seconds > 0 else "-"
            states = ", ".join(variable for population, variable in self.recorded_states if population == name)
            table.append((name, f"{size:,}", f"{count:,}" if recorded else "not recorded", rate, states or "-"))
        for name in dict.fromkeys(owner for owner, _ in self.recorded_states if owner not in self.sizes):
            states = ", ".join(variable for owner, variable in self.recorded_states if owner == name)
            table.append((name, "-", "-", "-", states))
        return table

    # Where it goes.

    def save(self, path: str | PathLike[str], *, compress: bool = False) -> None:
        """Write the trace to a file (a trace in a file is copied as it is).

        Raises
        ------
        TraceError
            ``path`` holds something that is not a trace, or cannot be written.
        """
        from .file import refuse_foreign, save

        target = os.fspath(path)
        if self.path is None or (compress and self._store.meta is not None):
            save(self, target, compress=compress)
        elif not (os.path.exists(target) and os.path.samefile(self.path, target)):
            refuse_foreign(target)
            temporary = f"{target}.new-{os.getpid()}"
            try:
                shutil.copyfile(self.path, temporary)
                os.replace(temporary, target)
            except OSError as error:
                raise TraceError(f"{target}: cannot be written ({error.strerror})", errno=error.errno) from error
            finally:
                if os.path.exists(temporary):
                    os.unlink(temporary)

    def to_neo(self, population: Any = None, **selection: Any) -> neo.Block:
        """Spike trains (and recorded states as signals) for Elephant; see :func:`neuromorph.trace.export.to_neo`."""
        from .export import to_neo

        return to_neo(self, population, **selection)

    def to_pandas(self, population: Any = None, **selection: Any) -> pandas.DataFrame:
        """Events as a data frame; see :func:`neuromorph.trace.export.to_pandas`."""
        from .export import to_pandas

        return to_pandas(self, population, **selection)

    def __reduce__(self) -> tuple[Any, ...]:
        # A file is opened again where it is unpickled, in a worker of the same computer or network drive.
        return _reopen, (self._store if self.path is None else os.path.abspath(self.path), self._dt)

    def close(self) -> None:
        """Close the file. A trace in memory stays."""
        if self.path is not None:
            self._closed = True
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"Trace({self.path!r}, closed)"
        counts = ", ".join(f"{name}: {self.count(name):,}" for name in self.recorded_events[:_ROWS_SHOWN])
        rest = ", ..." if len(self.recorded_events) > _ROWS_SHOWN else ""
        note = "" if self.complete else ", incomplete"
        return f"Trace({self.path or 'in memory'}, {self.start:g} to {self.stop:g} ms, events {{{counts}{rest}}}{note})"

    def _repr_html_(self) -> str:
        table = self.summary()
        shown = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in table[1 : _ROWS_SHOWN + 1]
        )
        hidden = len(table) - 1 - _ROWS_SHOWN
        more = f"<p>and {hidden} more populations</p>" if hidden > 0 else ""
        head = "".join(f"<th>{cell}</th>" for cell in table[0])
        title = html.escape(f"Trace {self.path or '(in memory)'}: {self.start:g} to {self.stop:g} ms")
        note = "" if self.complete else " <b>(incomplete: cut off or still running)</b>"
        return f"<p>{title}{note}</p><table><thead><tr>{head}</tr></thead><tbody>{shown}</tbody></table>{more}"

    # Details.

    def _opened(self) -> Store:
        if self._closed:
            raise TraceError(f"{self.path}: this trace has been closed; open it again with Trace(path)")
        return self._store

    def _table(self, population: Any) -> EventTable:
        name = _name(population)
        if name not in self.recorded_events:
            have = ", ".join(self.recorded_events) or "none"
            reason = "its events were not recorded" if name in self.sizes else "no such population"
            raise TraceError(f"events of {name!r}: {reason}; recorded populations: {have}")
        return self._opened().events(name)

    def _locate(self, table: EventTable, time: Any, default: int) -> int:
        """Number of the first event at or after ``time``."""
        if time is None:
            return default
        edge = in_ms(time)
        if self.dt is not None:
            edge -= 1e-6 * self.dt * 1e3  # a decimal number of ms may round to just after the step that it names
        low, high = 0, len(table)
        while low < high:
            middle = (low + high) // 2
            if table.read(middle, middle + 1).times[0] < edge:
                low = middle + 1
            else:
                high = middle
        return low

    @staticmethod
    def _row(table: Any, time: Any, rows: int, default: int) -> int:
        if time is None:
            return default
        return int(np.clip(np.ceil((in_ms(time) - table.start) / table.step - 1e-6), 0, rows))


def open_trace(path: str | PathLike[str], *, dt: float | None = None) -> Trace:
    """Open a trace or any SONATA spike or report file; the same as ``Trace(path, dt=dt)``."""
    return Trace(path, dt=dt)


def _reopen(source: str | Store, dt: float | None) -> Trace:
    return Trace(source, dt=dt)


def in_ms(time: Any) -> float:
    """A time in ms: a number is ms already, a quantity is converted."""
    if isinstance(time, int | float | np.number):
        return float(time)
    from neuromorph.units import ms, si_value

    return float(si_value(time, ms.dim, "time")) * 1e3


def _name(population: Any) -> str:
    return str(getattr(population, "name", population))
