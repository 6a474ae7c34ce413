"""Sources of events: populations that fire when their data, or the program that runs them, say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.language.suggest import suggestion
from neuromorph.lowering.program import EventList, EventTable
from neuromorph.network.values import rounded_steps
from neuromorph.units import TIME, si_value


@dataclass(frozen=True, eq=False)
class EventSource:
    """Neurons that replay given events; it stands where a neuron model stands in a population.

    An event at time t is emitted in step round(t / dt), so that it arrives one delay later.

    Attributes
    ----------
    size : int
        Number of neurons.
    times : Quantity (events,), optional
        When each event happens, in any order.
    indices : int array (events,), optional
        Which neuron it belongs to; kept as uint32.
    values : array (events,), optional
        Value of each event; 1 (a spike) if left out. Kept as float64.
    steps : int array (events,), optional
        When, in steps; instead of ``times``. Kept as int64.

    Raises
    ------
    NetworkError
        If lengths differ, a neuron does not exist or a time is negative.
    UnitError
        If ``times`` are no times.
    """

    name: ClassVar[str] = "EventSource"
    doc: ClassVar[str] = "Replayed events."
    ports: ClassVar[tuple[Any, ...]] = ()
    params: ClassVar[tuple[Any, ...]] = ()
    states: ClassVar[tuple[Any, ...]] = ()
    named: ClassVar[tuple[Any, ...]] = ()

    size: int
    times: Any = None
    indices: Any = None
    values: Any = None
    steps: Any = None

    def __post_init__(self) -> None:
        _check_size("EventSource", self.size)
        if self.times is not None and self.steps is not None:
            raise NetworkError("EventSource: both times and steps are given; give one of them")
        if (self.times is None and self.steps is None) != (self.indices is None):
            raise NetworkError("EventSource: events need both a time (times= or steps=) and a neuron (indices=)")
        if self.indices is None:
            if self.values is not None:
                raise NetworkError("EventSource: values without events; give times= or steps= and indices= too")
            return
        when = self._seconds() if self.times is not None else _whole("steps", self.steps)
        which = _whole("indices", self.indices)
        values = None if self.values is None else np.atleast_1d(np.asarray(self.values, np.float64))
        lengths = [len(x) for x in (when, which, values) if x is not None]
        if len(set(lengths)) > 1:
            raise NetworkError(f"EventSource: times, indices and values have lengths {lengths}; they must agree")
        if len(which) and not (which.min() >= 0 and which.max() < self.size):
            wrong = int(which.min() if which.min() < 0 else which.max())
            raise NetworkError(f"EventSource: index {wrong}; neurons are 0 to {self.size - 1}", index=wrong)
        if len(when) and not (np.isfinite(when).all() and when.min() >= 0):
            raise NetworkError("EventSource: an event lies before time 0 or is not finite")
        if values is not None and not np.isfinite(values).all():
            raise NetworkError("EventSource: a value is not finite")
        object.__setattr__(self, "indices", which.astype(np.uint32))
        object.__setattr__(self, "values", values)
        if self.steps is not None:
            object.__setattr__(self, "steps", when)

    @classmethod
    def from_dense(cls, values: npt.ArrayLike) -> EventSource:
        """Events from an array (steps, neurons): wherever it is not 0, an event of that value.

        An array of zeros and ones (or bools) gives spikes.
        """
        array = np.asarray(values)
        if array.ndim != 2 or array.shape[1] < 1:
            raise NetworkError(f"EventSource.from_dense: shape {array.shape}; give (steps, neurons)", shape=array.shape)
        steps, indices = np.nonzero(array)
        graded = array[steps, indices].astype(np.float64)
        return cls(array.shape[1], steps=steps, indices=indices, values=None if (graded == 1).all() else graded)

    @property
    def count(self) -> int:
        """Number of events."""
        return 0 if self.indices is None else len(self.indices)

    def event_list(self, dt: float) -> EventList:
        """Events by step, sorted by (step, index).

        Parameters
        ----------
        dt : float
            Step in seconds.

        Raises
        ------
        NetworkError
            If two events of one neuron fall into one step.
        """
        if self.indices is None:
            return EventList(np.zeros(1, np.int64), np.empty(0, np.uint32), None)
        steps = self.steps if self.times is None else rounded_steps(self._seconds(), dt)
        order = np.lexsort((self.indices, steps))
        steps, indices = steps[order], self.indices[order]
        twice = np.flatnonzero((np.diff(steps) == 0) & (np.diff(indices.astype(np.int64)) == 0))
        if len(twice):
            step, index = int(steps[twice[0]]), int(indices[twice[0]])
            raise NetworkError(
                f"EventSource: neuron {index} has two events in step {step} of {dt * 1e3:g} ms; use a shorter step, or "
                "one event with the sum as its value",
                step=step,
                index=index,
            )
        step_ptr = np.searchsorted(steps, np.arange(int(steps[-1]) + 2 if len(steps) else 1)).astype(np.int64)
        return EventList(step_ptr, indices, None if self.values is None else self.values[order])

    def _seconds(self) -> npt.NDArray[np.float64]:
        return np.atleast_1d(np.asarray(si_value(self.times, TIME, "EventSource: times"), np.float64))

    def __repr__(self) -> str:
        return f"EventSource({self.size}, {self.count} events)"


@dataclass(frozen=True)
class Live:
    """Neurons whose events are given while the network runs, step by step: see :meth:`Program.live`.

    It stands where a neuron model stands in a population. In a run that is not live it is silent.

    Attributes
    ----------
    size : int
        Number of neurons.
    graded : bool
        Whether events carry values; otherwise they are spikes.

    Raises
    ------
    NetworkError
        If the size is not a number of neurons.
    """

    name: ClassVar[str] = "Live"
    doc: ClassVar[str] = "Events given while the network runs."
    ports: ClassVar[tuple[Any, ...]] = ()
    params: ClassVar[tuple[Any, ...]] = ()
    states: ClassVar[tuple[Any, ...]] = ()
    named: ClassVar[tuple[Any, ...]] = ()

    size: int
    graded: bool = False

    def __post_init__(self) -> None:
        _check_size("Live", self.size)

    @property
    def count(self) -> int:
        """Number of events known beforehand."""
        return 0

    def event_list(self, dt: float) -> EventList:
        """No events, for a run that is not live."""
        return EventList(np.zeros(1, np.int64), np.empty(0, np.uint32), np.empty(0) if self.graded else None)

    def __repr__(self) -> str:
        return f"Live({self.size}{', graded=True' if self.graded else ''})"


@dataclass(frozen=True, eq=False, repr=False)
class Lookup:
    """Neurons that emit rows of a table: in step t neuron k emits ``table[ids[t], k]``, unless it is 0.

    So the words of a text go into a network: the table holds a row for each word of the vocabulary, the ids are the
    text. Table and ids are kept as they are, never as a list of events, so long texts are cheap. Events
    are graded. Chips with DRAM keep the table there and fetch one row a step.

    It stands where a neuron model stands in a population.

    Attributes
    ----------
    table : float array (rows, neurons)
        Kept as float32 or float64, whichever it is; anything else becomes float64.
    ids : int array (steps,), optional
        The row of each step, -1 for none; kept as int32. None: ids are given while the network runs, step by step, see
        :meth:`Program.live`; a run that is not live is then silent.

    Raises
    ------
    NetworkError
        If the table is no matrix of finite numbers, or an id no row of it.
    """

    name: ClassVar[str] = "Lookup"
    doc: ClassVar[str] = "Rows of a table."
    ports: ClassVar[tuple[Any, ...]] = ()
    params: ClassVar[tuple[Any, ...]] = ()
    states: ClassVar[tuple[Any, ...]] = ()
    named: ClassVar[tuple[Any, ...]] = ()

    graded: ClassVar[bool] = True

    table: Any
    ids: Any = None

    def __post_init__(self) -> None:
        table = np.asarray(self.table)
        if table.ndim != 2 or 0 in table.shape or table.dtype.kind not in "biuf":
            raise NetworkError(
                f"Lookup: the table has shape {table.shape} ({table.dtype}); give numbers (rows, neurons)",
                shape=table.shape,
            )
        if table.dtype not in (np.float32, np.float64):
            table = table.astype(np.float64)
        if not np.isfinite(table).all():
            raise NetworkError("Lookup: a value of the table is not finite")
        object.__setattr__(self, "table", np.ascontiguousarray(table))
        if self.ids is not None:
            object.__setattr__(self, "ids", read_ids("Lookup: ids", self.ids, len(table)))

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.table.shape[1])

    @property
    def rows(self) -> int:
        """Number of rows of the table."""
        return len(self.table)

    def event_list(self, dt: float) -> EventTable:
        """Table and ids, which know no time; without ids no events, for a run that is not live."""
        return EventTable(self.table, np.empty(0, np.int32) if self.ids is None else self.ids)

    def __repr__(self) -> str:
        steps = "ids given live" if self.ids is None else f"{len(self.ids):,} steps"
        return f"Lookup({self.rows:,} rows of {self.size:,}, {steps})"


def read_ids(subject: str, given: Any, rows: int) -> npt.NDArray[np.int32]:
    """Ids of rows of a table, of any shape, as int32.

    Raises
    ------
    NetworkError
        If they are no ints, or one of them is neither a row nor -1.
    """
    ids = np.asarray(given)
    if ids.size and ids.dtype.kind not in "iu":
        raise NetworkError(f"{subject} are {ids.dtype}; give ints")
    if ids.size and not (ids.min() >= -1 and ids.max() < rows):
        wrong = int(ids.min() if ids.min() < -1 else ids.max())
        raise NetworkError(f"{subject}: {wrong}; rows are 0 to {rows - 1}, and -1 is none", id=wrong)
    return np.ascontiguousarray(ids, np.int32)


@dataclass(frozen=True)
class EventsOf:
    """Further events of neurons that are in another population: neuron k sends one where a state of neuron k is not 0.

    So neurons have several kinds of events: their own ``Event``, and one more for each such population. The state is
    looked at when its population has made the step, resets included, and the event leaves in that very step, as the
    neurons' own do. On chips it leaves from the neuron's PE.

    It stands where a neuron model stands in a population.

    Attributes
    ----------
    population : Population
        Whose events they are; kept is its name.
    state : str
        Name of a state with ``dtype=int``.
    size : int
        Number of neurons; taken from the population.

    Raises
    ------
    NetworkError
        If the population's neuron has no such state; when it is added, if the network has no such population.
    """

    name: ClassVar[str] = "EventsOf"
    doc: ClassVar[str] = "Further events of other neurons."
    ports: ClassVar[tuple[Any, ...]] = ()
    params: ClassVar[tuple[Any, ...]] = ()
    states: ClassVar[tuple[Any, ...]] = ()
    named: ClassVar[tuple[Any, ...]] = ()

    population: Any
    state: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        known = getattr(getattr(self.population, "neuron", None), "states", None)
        if known is None:
            raise NetworkError(f"EventsOf: {self.population!r:.60} is no population; give the one that has the state")
        self.check(self.population)
        object.__setattr__(self, "size", self.population.size)
        object.__setattr__(self, "population", self.population.name)

    def check(self, population: Any) -> None:
        """Raise NetworkError unless the population has the state, and as many neurons as before."""
        found = next((s for s in population.neuron.states if s.name == self.state), None)
        subject = f"EventsOf({population.name}, {self.state!r})"
        if found is None:
            names = [s.name for s in population.neuron.states]
            raise NetworkError(
                f"{subject}: {population.neuron.name} has no such state; {suggestion(self.state, names)}"
            )
        if found.type is not Type.INT:
            raise NetworkError(
                f"{subject}: the state is a float; declare one that is 1 where there is an event: State(0, dtype=int)"
            )

    def __repr__(self) -> str:
        return f"EventsOf({self.population}, {self.state!r})"


Source = EventSource | Live | Lookup | EventsOf
"""What stands for a neuron in a population that only sends."""


def _check_size(kind: str, size: Any) -> None:
    if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
        raise NetworkError(f"{kind}: size is {size!r}; give the number of neurons, an int of at least 1")


def _whole(name: str, given: Any) -> npt.NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(given))
    if array.size and array.dtype.kind not in "iu":
        raise NetworkError(f"EventSource: {name} are {array.dtype}; give ints")
    return array.astype(np.int64)
