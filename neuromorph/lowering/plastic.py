"""A plastic projection ready for an engine: its synapses, their states and the programs that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.language.synapse import Place
from neuromorph.lowering.program import Slot, StepProgram


@dataclass(frozen=True)
class Update:
    """New values of the states of one place, on one occasion.

    Attributes
    ----------
    program : StepProgram
        Its states are all those of the projection and its ports all views, then the event's value; only what it reads
        of them has to be there. Its observables are what outputs add, each by the output's name.
    changed : tuple of int
        States that get new values.
    params : tuple of arrays ()
        One for each parameter slot of the program, float64 or int64.
    """

    program: StepProgram
    changed: tuple[int, ...]
    params: tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class Path:
    """What events of one end do.

    Attributes
    ----------
    name : str
    end : {"pre", "post"}
        Whose events.
    updates : mapping of place to Update
        Where there is something to do.
    delivers : bool
        The weight is added to the projection's port, multiplied by the event's value, before anything changes.
    """

    name: str
    end: Literal["pre", "post"]
    updates: Mapping[Place, Update]
    delivers: bool = False

    def __bool__(self) -> bool:
        return self.delivers or bool(self.updates)


@dataclass(frozen=True)
class SynapseProgram:
    """What a synapse model does in a step; see :class:`PlasticProjection` for when.

    Attributes
    ----------
    states, views : tuple of Slot
    places : tuple of {"pre", "post", "synapse"}
        Of each state.
    weight : int or None
        Number of the state that is the weight, if one is.
    outputs : tuple of str
        Their names.
    advance : mapping of place to Update
        Where there is something to do.
    every : Update or None
        What all synapses add in each step.
    paths : tuple of Path
        In the order in which they act.
    late : bool
    """

    states: tuple[Slot, ...]
    views: tuple[Slot, ...]
    places: tuple[Place, ...]
    weight: int | None
    outputs: tuple[str, ...]
    advance: Mapping[Place, Update]
    every: Update | None
    paths: tuple[Path, ...]
    late: bool

    @property
    def code(self) -> tuple[Any, ...]:
        """All but the values of parameters: programs of equal code run on the same kernels."""
        updates = tuple((u.program, u.changed) for u in self.updates())
        places = tuple(tuple(part) for part in (self.advance, *(path.updates for path in self.paths)))
        paths = tuple((p.name, p.end, p.delivers) for p in self.paths)
        every = self.every is not None
        return (
            *(self.states, self.views, self.places, self.weight, self.outputs, self.late),
            *(updates, places, paths, every),
        )

    def updates(self) -> tuple[Update, ...]:
        """All of them."""
        parts = (self.advance, *(path.updates for path in self.paths))
        return (*(u for part in parts for u in part.values()), *([] if self.every is None else [self.every]))

    def of_place(self, place: Place) -> tuple[int, ...]:
        """Numbers of the states of one place."""
        return tuple(k for k, each in enumerate(self.places) if each == place)


@dataclass(frozen=True)
class View:
    """A variable of a population that synapses look at.

    Attributes
    ----------
    end : {"pre", "post", "third"}
    population : int
    variable : str
    lag : int
        Steps that it takes; 0 for the target, which is seen at the end of the step before (in ``on_post``: of this
        step). Late synapses see every end at the end of this step, and what they add in every step sees the end of
        the step before, for which sources are kept one step long.
    """

    end: str
    population: int
    variable: str
    lag: int


@dataclass(frozen=True)
class Rows:
    """The synapses of one delay, by source neuron.

    Attributes
    ----------
    delay : int
        Steps.
    row_ptr : int64 (n_pre + 1,)
        Row of source s is ``[row_ptr[s], row_ptr[s + 1])`` among all synapses of the projection, or of ``index``.
    index : int64 (synapses of the delay,) or None
        Numbers of synapses, where a row's do not follow one another: that is so on targets that take rows apart.
    """

    delay: int
    row_ptr: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Group:
    """The synapses on which events of a path act after the same time.

    Attributes
    ----------
    lag : int
        Steps from sending an event to the step in which it acts.
    ptr : int64 (neurons + 1,) or None
        Synapses of neuron n of the path's end are number ``[ptr[n], ptr[n + 1])`` of ``index``. None: all synapses, by
        their targets.
    index : int64 (synapses of the group,) or None
        Numbers of synapses; None: ``ptr`` counts synapses themselves.
    """

    lag: int
    ptr: npt.NDArray[np.int64] | None = None
    index: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class StateRecord:
    """A state that is recorded.

    Attributes
    ----------
    state : int
        Number of the state.
    every : int
        Steps from one sample to the next.
    indices : int64 (n,)
        Synapses or neurons whose values are recorded, ascending.
    """

    state: int
    every: int
    indices: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PlasticProjection:
    """A projection whose synapses change.

    In step s: every state advances by one step; events that were sent ``delay`` steps ago add ``weight * value`` to the
    port's sum of step s, then change states (``on_pre``); the populations make their step; the events of the targets
    change states (``on_post``). Each of the three updates all states at once from the values before it. Late synapses
    do it all once the populations have made their step, path by path, and add to the sums of step s + 1.

    Attributes
    ----------
    name : str
    index : int
        Position among the network's projections.
    model : str
        Name of the synapse model.
    pre, post, port, n_pre, n_post : int
        As in :class:`~neuromorph.network.synapses.Synapses`.
    rows : tuple of Rows
        By delay, the longest first; that is the order in which contributions are added, and of the synapses.
    targets : uint16 or uint32 (synapses,)
        Ascending within a row.
    program : SynapseProgram
    initial : tuple of arrays
        Of each state, float64 or narrower: shape () or one for each neuron or synapse.
    views : tuple of View
    scale : float
        SI value of one unit of the weight's state.
    unit : str
        Unit of the port's weights.
    routes : tuple of tuple of Group
        Of each path of the program.
    ports : tuple of int
        Port of each output.
    seed : int
        Of the numbers that the synapses draw.
    records : tuple of StateRecord
        What is recorded.
    senders : tuple of int
        Of each path of the program, the population whose events it follows: ``pre``, ``post`` or further events of it.
    """

    name: str
    index: int
    model: str
    pre: int
    post: int
    port: int
    n_pre: int
    n_post: int
    rows: tuple[Rows, ...]
    targets: npt.NDArray[Any]
    program: SynapseProgram
    initial: tuple[npt.NDArray[Any], ...]
    views: tuple[View, ...]
    scale: float
    unit: str
    routes: tuple[tuple[Group, ...], ...]
    ports: tuple[int, ...] = ()
    seed: int = 0
    records: tuple[StateRecord, ...] = ()
    senders: tuple[int, ...] = ()

    @property
    def further(self) -> tuple[int, ...]:
        """Populations of further events that paths follow."""
        return tuple(sorted(set(self.senders) - {self.pre, self.post}))

    @property
    def count(self) -> int:
        """Number of synapses."""
        return len(self.targets)

    @property
    def min_delay(self) -> int:
        """Steps for which nothing that is sent acts: the shortest delay, a step where synapses are late."""
        return 1 if self.program.late else min((rows.delay for rows in self.rows), default=1)

    @property
    def max_delay(self) -> int:
        """Steps after which nothing that was sent is still to act."""
        lags = [group.lag for route in self.routes for group in route]
        return max([rows.delay for rows in self.rows] + [lag + self.program.late for lag in lags], default=1)

    def back(self) -> int:
        """Steps for which events of the targets are under way."""
        paths = zip(self.program.paths, self.routes, strict=True)
        return max((group.lag for path, route in paths if path.end == "post" for group in route), default=0)

    def sources(self) -> npt.NDArray[np.int64]:
        """Source neuron of each synapse."""
        neurons = np.arange(self.n_pre)
        parts = [np.repeat(neurons, np.diff(rows.row_ptr)) for rows in self.rows]
        listed = np.concatenate(parts) if parts else neurons[:0]
        index = [rows.index for rows in self.rows if rows.index is not None]
        if not index:
            return listed
        found = np.empty_like(listed)
        found[np.concatenate(index)] = listed
        return found

    def delays(self) -> npt.NDArray[np.int64]:
        """Delay of each synapse in steps."""
        counts = [int(rows.row_ptr[-1] - rows.row_ptr[0]) for rows in self.rows]
        return np.repeat([rows.delay for rows in self.rows], counts).astype(np.int64)

    def size_of(self, state: int) -> int:
        """How many values a state has."""
        return {"pre": self.n_pre, "post": self.n_post, "synapse": self.count}[self.program.places[state]]
